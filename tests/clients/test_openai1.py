"""The last openai-python of 1.x, in a Python environment of its own: old programs stay."""
import json

import openai
import pytest

from dsml import WEATHER, block
from server import NAMES
from wire import forced

MODEL = NAMES[0]
if not openai.__version__.startswith("1."):
    pytest.skip("needs openai 1.x, in its own environment", allow_module_level=True)


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server.v1, api_key="none", max_retries=0) as made:
        yield made


def user(text):
    return [{"role": "user", "content": text}]


def test_completion(client):
    body = {"model": MODEL, "prompt": "The future of AI is", "max_tokens": 8, "temperature": 0}
    whole = client.completions.create(**body).choices[0].text
    chunks = client.completions.create(stream=True, **body)
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole != ""


def test_chat(client):
    body = {"model": MODEL, "messages": user("Hi"), "extra_body": forced("Hello.")}
    assert client.chat.completions.create(**body).choices[0].message.content == "Hello."
    chunks = client.chat.completions.create(stream=True, stream_options={"include_usage": True},
                                            **body)
    *chunks, last = chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello."
    assert last.choices == [] and last.usage.completion_tokens > 0


def test_tools(client):
    text = block(("get_weather", {"city": "Oslo"}))
    with client.beta.chat.completions.stream(model=MODEL, messages=user("?"), tools=[WEATHER],
                                             extra_body=forced(text)) as events:
        choice = events.get_final_completion().choices[0]
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls" and call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}


def test_errors(client):
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.completions.create(model="nope", prompt="x")
    with pytest.raises(openai.BadRequestError, match="must be in"):
        client.completions.create(model=MODEL, prompt="x", top_p=7)
