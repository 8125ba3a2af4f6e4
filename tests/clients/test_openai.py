"""openai-python, the newest: what a program that uses it sees."""
import asyncio
import enum
import json
import typing

import openai
import pydantic
import pytest

from dsml import WEATHER, WEATHER_IN_OSLO, block
from server import M, NAMES
from wire import forced, ids, token

MODEL = NAMES[0]


def options(server):
    return {"base_url": server.v1, "api_key": server.api_key or "none", "max_retries": 0,
            "timeout": 120}


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(**options(server)) as made:
        yield made


def user(text):
    return [{"role": "user", "content": text}]


def test_models(client):
    models = client.models.list().data
    assert [model.id for model in models] == NAMES
    assert models[0].model_extra["max_model_len"] == M


def test_completion(client):
    reply = client.completions.create(model=MODEL, prompt="The future of AI is", max_tokens=8,
                                      temperature=0)
    assert reply.object == "text_completion" and reply.choices[0].text
    assert reply.usage.completion_tokens <= 8
    streamed = client.completions.create(model=MODEL, prompt="The future of AI is", max_tokens=8,
                                         temperature=0, stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == reply.choices[0].text


def test_completion_logprobs(client):
    reply = client.completions.create(model=MODEL, prompt="The cat", max_tokens=4, logprobs=2,
                                      echo=True, temperature=0)
    logprobs = reply.choices[0].logprobs
    assert len(logprobs.tokens) == len(ids("The cat")) + reply.usage.completion_tokens
    assert logprobs.token_logprobs[0] is None


def test_many_completions_at_once(server):
    async def all_of_them():
        async with openai.AsyncOpenAI(**options(server)) as client:
            async def one(i):
                reply = await client.completions.create(model=MODEL, prompt=f"Number {i}",
                                                        max_tokens=8, temperature=0)
                return reply.choices[0].text

            at_once = await asyncio.gather(*(one(i) for i in range(64)))
            assert at_once[:4] == [await one(i) for i in range(4)]
            return at_once

    assert len(asyncio.run(all_of_them())) == 64


def test_many_chats_at_once_half_of_them_streams(server):
    async def all_of_them():
        async with openai.AsyncOpenAI(**options(server)) as client:
            async def one(i):
                reply = await client.chat.completions.create(
                    model=MODEL, messages=user("x"), stream=bool(i % 2),
                    extra_body=forced(f"It is {i}."))
                if i % 2 == 0:
                    return reply.choices[0].message.content
                return "".join([chunk.choices[0].delta.content or "" async for chunk in reply])

            assert await asyncio.gather(*(one(i) for i in range(64))) == \
                [f"It is {i}." for i in range(64)]

    asyncio.run(all_of_them())


def test_leaving_a_stream_early(server):
    with openai.OpenAI(**options(server)) as client:
        for _ in range(3):
            with client.completions.create(model=MODEL, prompt="x", max_tokens=5000, stream=True,
                                           extra_body={"ignore_eos": True}) as chunks:
                for _ in zip(range(3), chunks):
                    pass
        assert client.completions.create(model=MODEL, prompt="x", max_tokens=1).choices


def test_chat(client):
    reply = client.chat.completions.create(model=MODEL, messages=user("Hi"),
                                           extra_body=forced("Hello. 😀"))
    assert reply.choices[0].message.content == "Hello. 😀"
    assert reply.choices[0].finish_reason == "stop"


def test_chat_stream_helper(client):
    with client.chat.completions.stream(model=MODEL, messages=user("Hi"),
                                        stream_options={"include_usage": True},
                                        extra_body=forced("Hello.")) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= set(kinds)
    assert final.choices[0].message.content == "Hello." and final.usage.total_tokens > 0


class Mood(enum.Enum):
    good = "good"
    bad = "bad"


class Weather(pydantic.BaseModel):
    mood: Mood
    sure: bool
    kind: typing.Literal["rain", "sun"]
    other: typing.Optional[Mood]


def test_parse(client):
    reply = client.chat.completions.parse(model=MODEL, messages=user("?"), response_format=Weather,
                                          max_tokens=500)
    assert isinstance(reply.choices[0].message.parsed, Weather)
    with client.chat.completions.stream(model=MODEL, messages=user("?"), response_format=Weather,
                                        max_tokens=500) as events:
        final = events.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Weather)


class get_mood(pydantic.BaseModel):
    """How is it there?"""
    mood: Mood
    days: list[typing.Literal[1, 2]] = pydantic.Field(min_length=1, max_length=2)


def test_pydantic_function_tool(client):
    reply = client.chat.completions.parse(
        model=MODEL, messages=user("?"), tools=[openai.pydantic_function_tool(get_mood)],
        tool_choice="required", parallel_tool_calls=False, max_tokens=800)
    assert reply.choices[0].finish_reason == "tool_calls"
    (call,) = reply.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, get_mood)


def test_a_tool_loop(client):
    text = "I'll check.\n\n" + block(("get_weather", {"city": "Oslo", "days": 2}))
    messages = user("Weather?")
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[WEATHER],
                                        extra_body=forced(text)) as events:
        message = events.get_final_completion().choices[0].message
    assert message.content == "I'll check."
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Oslo", "days": 2}
    # Sent back as the client holds it, with all its nulls and whatever the server added.
    messages += [message.model_dump(), {"role": "tool", "content": "rain",
                                        "tool_call_id": message.tool_calls[0].id}]
    reply = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER],
                                           extra_body=forced("It rains."))
    assert reply.choices[0].message.content == "It rains."


def test_named_tool(client):
    reply = client.chat.completions.create(
        model=MODEL, messages=user("?"), tools=[WEATHER_IN_OSLO], max_tokens=500,
        tool_choice={"type": "function", "function": {"name": "get_weather"}})
    (call,) = reply.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Oslo"}


def test_thinking(client):
    body = {"chat_template_kwargs": {"thinking": True}, **forced("Yes.")}
    chunks = client.chat.completions.create(
        model=MODEL, messages=user("?"), max_tokens=1000, stream=True, extra_body=body,
        logit_bias={str(token("</think>")): 6}, seed=3)
    content, thought = "", ""
    for chunk in chunks:
        delta = chunk.choices[0].delta
        content += delta.content or ""
        thought += (delta.model_extra or {}).get("reasoning_content") or ""
    assert content == "Yes." and "think>" not in thought


def test_logprobs(client):
    reply = client.chat.completions.create(model=MODEL, messages=user("Hi"), logprobs=True,
                                           top_logprobs=2, max_tokens=4, temperature=0)
    for entry in reply.choices[0].logprobs.content:
        assert len(entry.top_logprobs) == 2 and entry.logprob == entry.top_logprobs[0].logprob


def test_errors(client, guarded):
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError, match="`nope` does not exist"):
        client.completions.create(model="nope", prompt="x")
    with pytest.raises(openai.BadRequestError, match="must be in") as caught:
        create(model=MODEL, messages=user("x"), top_p=7)
    assert caught.value.body["code"] == 400 and caught.value.body["param"] == "top_p"
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        client.completions.create(model=MODEL, prompt=[300] * (M + 1))
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        create(model=MODEL, messages=user("x" * 3 * M), max_tokens=5)
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=MODEL, messages=user("x"), response_format=Weather,
                                      max_tokens=2)
    with openai.OpenAI(base_url=guarded.v1, api_key="wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
    with openai.OpenAI(**options(guarded)) as known:
        assert known.models.list().data


def test_raw_and_streamed_bytes(client):
    raw = client.completions.with_raw_response.create(model=MODEL, prompt="x", max_tokens=1)
    assert raw.headers["content-type"] == "application/json" and raw.parse().choices
    with client.completions.with_streaming_response.create(model=MODEL, prompt="x", max_tokens=2,
                                                           stream=True) as reply:
        lines = [line for line in reply.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines) and lines[-1] == "data: [DONE]"


def test_responses(client):
    reply = client.responses.create(model=MODEL, input="Hi", instructions="Be brief.",
                                    max_output_tokens=12)
    assert reply.object == "response" and reply.status in ("completed", "incomplete")
    assert reply.output[-1].type == "message" and reply.output_text is not None
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens


def test_responses_streamed(client):
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"],
              "additionalProperties": False}
    form = {"type": "json_schema", "name": "answer", "schema": schema, "strict": True}
    with client.responses.stream(model=MODEL, input="Hi", max_output_tokens=200,
                                 text={"format": form}) as events:  # It ends by itself.
        kinds, deltas = [], []
        for event in events:
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                deltas.append(event.delta)
        final = events.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert "".join(deltas) == final.output_text and "sure" in json.loads(final.output_text)


def test_responses_parse(client):
    reply = client.responses.parse(model=MODEL, input="?", text_format=Weather,
                                   max_output_tokens=500)
    assert isinstance(reply.output_parsed, Weather)


def test_responses_tools(client):
    tool = {"type": "function", **WEATHER_IN_OSLO["function"]}
    reply = client.responses.create(model=MODEL, input="Weather?", tools=[tool],
                                    tool_choice="required", max_output_tokens=500)
    calls = [item for item in reply.output if item.type == "function_call"]
    assert calls and json.loads(calls[0].arguments) == {"city": "Oslo"}
    again = client.responses.create(model=MODEL, max_output_tokens=12, input=[
        {"role": "user", "content": "Weather?"}, *[item.model_dump() for item in calls[:1]],
        {"type": "function_call_output", "call_id": calls[0].call_id, "output": "rain"}],
        tools=[tool], tool_choice="none")
    assert again.output[-1].type == "message"
