"""litellm, as a library: an OpenAI-compatible server behind hosted_vllm/ and openai/."""
import json

import litellm
import pytest

from dsml import WEATHER, block
from server import M, NAMES
from wire import forced

litellm.telemetry = False


def options(server, provider="hosted_vllm"):
    return {"model": f"{provider}/{NAMES[0]}", "api_base": server.v1, "api_key": "none",
            "max_retries": 0, "num_retries": 0}


def user(text):
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("provider", ["hosted_vllm", "openai"])
def test_chat(server, provider):
    body = {**options(server, provider), "messages": user("Hi"), "extra_body": forced("Hello.")}
    reply = litellm.completion(**body)
    assert reply.choices[0].message.content == "Hello." and reply.usage.total_tokens > 0
    chunks = list(litellm.completion(stream=True, **body))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello."


def test_text_completion(server):
    body = {**options(server), "model": f"text-completion-openai/{NAMES[0]}", "max_tokens": 8,
            "temperature": 0, "prompt": "The future of AI is"}
    whole = litellm.text_completion(**body).choices[0].text
    chunks = litellm.text_completion(stream=True, **body)
    assert "".join(chunk.choices[0].text or "" for chunk in chunks) == whole != ""


def test_tools(server):
    text = block(("get_weather", {"city": "Oslo"}))
    reply = litellm.completion(messages=user("?"), tools=[WEATHER], extra_body=forced(text),
                               **options(server))
    (call,) = reply.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    assert reply.choices[0].finish_reason == "tool_calls"


def test_errors(server):
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(**{**options(server), "model": "hosted_vllm/nope"}, messages=user("x"))
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(**options(server), messages=user("x " * 2 * M), max_tokens=5)
