"""anthropic-python against /v1/messages."""
import anthropic
import pytest

from dsml import block
from server import NAMES
from wire import forced, token

MODEL = NAMES[0]
WEATHER = {"name": "get_weather", "description": "Look up the weather.",
           "input_schema": {"type": "object", "properties": {"city": {"type": "string"}},
                            "required": ["city"]}}


@pytest.fixture(scope="module")
def client(server):
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as made:
        yield made


def user(text):
    return [{"role": "user", "content": text}]


def test_message(client):
    reply = client.messages.create(model=MODEL, max_tokens=100, system="Be brief.",
                                   messages=user("Hi"), extra_body=forced("Hello. 😀"))
    assert (reply.type, reply.role, reply.stop_reason) == ("message", "assistant", "end_turn")
    assert [block.text for block in reply.content] == ["Hello. 😀"]
    assert reply.usage.input_tokens > 0 and reply.usage.output_tokens > 0


def test_where_it_ends(client):
    reply = client.messages.create(model=MODEL, max_tokens=3, messages=user("Hi"),
                                   extra_body={"ignore_eos": True})
    assert reply.stop_reason == "max_tokens" and reply.usage.output_tokens == 3
    reply = client.messages.create(model=MODEL, max_tokens=100, messages=user("Hi"),
                                   stop_sequences=["two"], extra_body=forced("One two three"))
    assert (reply.stop_reason, reply.stop_sequence) == ("stop_sequence", "two")
    assert reply.content[0].text == "One "


def test_stream(client):
    with client.messages.stream(model=MODEL, max_tokens=100, messages=user("Hi"),
                                extra_body=forced("Hello.")) as events:
        kinds = [event.type for event in events]
        final = events.get_final_message()
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    assert {"content_block_start", "content_block_delta", "content_block_stop",
            "message_delta"} <= set(kinds)
    assert final.content[0].text == "Hello." and final.stop_reason == "end_turn"
    assert final.usage.output_tokens > 0


@pytest.mark.parametrize("streaming", [False, True])
def test_tools(client, streaming):
    more = {"model": MODEL, "max_tokens": 500, "tools": [WEATHER]}
    body = {**more, "messages": user("Weather?"), "extra_body":
            forced("I'll check.\n\n" + block(("get_weather", {"city": "Oslo"})))}
    if streaming:
        with client.messages.stream(**body) as events:
            reply = events.get_final_message()
    else:
        reply = client.messages.create(**body)
    text, call = reply.content
    assert reply.stop_reason == "tool_use" and text.text == "I'll check."
    assert (call.type, call.name, call.input) == ("tool_use", "get_weather", {"city": "Oslo"})
    loop = [*user("Weather?"), {"role": "assistant", "content": reply.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id,
                                          "content": "rain"}]}]
    after = client.messages.create(messages=loop, extra_body=forced("It rains."), **more)
    assert after.content[0].text == "It rains."


def test_tool_choice(client):
    strict = {**WEATHER, "strict": True, "input_schema": {
        "type": "object", "properties": {"city": {"type": "string", "enum": ["Oslo"]}},
        "required": ["city"], "additionalProperties": False}}
    for choice in ({"type": "any", "disable_parallel_tool_use": True},
                   {"type": "tool", "name": "get_weather"}):
        reply = client.messages.create(model=MODEL, max_tokens=500, messages=user("?"),
                                       tools=[strict], tool_choice=choice)
        assert reply.content[-1].input == {"city": "Oslo"}


def test_thinking(client):
    reply = client.messages.create(
        model=MODEL, max_tokens=1100, messages=user("?"),
        thinking={"type": "enabled", "budget_tokens": 1024},
        extra_body={"logit_bias": {str(token("</think>")): 6}, "seed": 3, **forced("Yes.")})
    assert [block.type for block in reply.content][-1] == "text"
    assert reply.content[-1].text == "Yes."


def test_count_tokens(client):
    body = {"model": MODEL, "messages": user("Hi"), "system": "Be brief."}
    counted = client.messages.count_tokens(**body).input_tokens
    reply = client.messages.create(max_tokens=1, **body)
    assert counted == reply.usage.input_tokens


def test_errors(client, guarded):
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="nope", max_tokens=1, messages=user("x"))
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=MODEL, max_tokens=1, messages=[])
    with anthropic.Anthropic(base_url=guarded.url, api_key="wrong", max_retries=0) as stranger:
        with pytest.raises(anthropic.AuthenticationError):
            stranger.messages.create(model=MODEL, max_tokens=1, messages=user("x"))
    with anthropic.Anthropic(base_url=guarded.url, api_key=guarded.api_key) as known:
        assert known.messages.create(model=MODEL, max_tokens=1, messages=user("x"))
