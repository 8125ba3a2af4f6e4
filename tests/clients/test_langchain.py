"""langchain-openai: chains, streams, tools and typed output."""
import typing

import langchain_openai
import pydantic
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool

from dsml import block
from server import NAMES
from wire import forced


def chat(server, **more):
    return langchain_openai.ChatOpenAI(model=NAMES[0], base_url=server.v1, api_key="none",
                                       max_retries=0, **more)


def test_invoke_and_stream(server):
    model = chat(server, extra_body=forced("Hello. 😀"))
    reply = model.invoke("Hi")
    assert reply.content == "Hello. 😀" and reply.usage_metadata["total_tokens"] > 0
    assert reply.response_metadata["finish_reason"] == "stop"
    assert "".join(chunk.content for chunk in model.stream("Hi")) == "Hello. 😀"


def test_batch(server):
    model = chat(server, extra_body=forced("Hello."))
    assert [reply.content for reply in model.batch(["Hi"] * 8)] == ["Hello."] * 8


def test_completions(server):
    model = langchain_openai.OpenAI(model=NAMES[0], base_url=server.v1, api_key="none",
                                    max_tokens=8, temperature=0, max_retries=0)
    whole = model.invoke("The future of AI is")
    assert whole == "".join(model.stream("The future of AI is")) != ""


@tool
def get_weather(city: typing.Literal["Oslo"]) -> str:
    """Look up the weather."""
    return f"rain in {city}"


def test_a_tool_loop(server):
    text = "I'll check.\n\n" + block(("get_weather", {"city": "Oslo"}))
    model = chat(server, extra_body=forced(text)).bind_tools([get_weather])
    messages = [HumanMessage("Weather?")]
    reply = model.invoke(messages)
    (call,) = reply.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Oslo"})
    whole = None
    for chunk in model.stream(messages):
        whole = chunk if whole is None else whole + chunk
    assert whole.tool_calls[0]["args"] == {"city": "Oslo"} and whole.content == "I'll check."
    messages += [reply, ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])]
    after = chat(server, extra_body=forced("It rains.")).bind_tools([get_weather]).invoke(messages)
    assert after.content == "It rains." and not after.tool_calls


class Answer(pydantic.BaseModel):
    """An answer."""
    sure: bool
    kind: typing.Literal["rain", "sun"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_typed_output(server, method):
    model = chat(server, max_tokens=500).with_structured_output(Answer, method=method, strict=True)
    assert isinstance(model.invoke("?"), Answer)
