"""Acceptance checks of tool calls. Replies are forced, letter by letter, so that what is tried is
how DSML becomes calls, whatever the model would have said by itself."""
import json

import pytest

from dsml import (ASSISTANT, BOS, EOS, LOOP, USER, WEATHER, WEATHER_IN_OSLO, block, called,
                  loop_prompt, result)
from wire import CHAT, answer, chat, forced, ids, refused, said, stream_chat, token

OSLO = {"city": "Oslo"}
NOW = {"type": "function", "function": {"name": "now", "description": "The time."}}


def calls_of(reply):
    """[(name, arguments)] of a whole reply; every id its own."""
    calls = reply["message"].get("tool_calls") or []
    assert len({call["id"] for call in calls}) == len(calls)
    assert all(call["type"] == "function" for call in calls)
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


def says(server, text, tools=(WEATHER,), **more):
    """What becomes of a reply that is exactly this text: the whole one, and the same streamed."""
    body = {"tools": list(tools), **forced(text), **more}
    whole, streamed = chat(server, "Weather?", **body), stream_chat(server, "Weather?", **body)
    assert streamed.joined("content") == (whole["message"]["content"] or None)
    calls = streamed.calls()
    assert [(call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in calls] == calls_of(whole)
    assert streamed.finish()["finish_reason"] == whole["finish_reason"]
    return whole


def test_31_a_call(server):
    reply = says(server, "I'll check.\n\n" + block(("get_weather", OSLO)))
    assert reply["message"]["content"] == "I'll check."
    assert calls_of(reply) == [("get_weather", OSLO)] and reply["finish_reason"] == "tool_calls"
    reply = says(server, "\n\n" + block(("get_weather", OSLO)))
    assert reply["message"]["content"] is None


def test_31_a_call_that_decoding_is_held_to(server):
    reply = chat(server, "Weather in Oslo?", tools=[WEATHER_IN_OSLO], tool_choice="required",
                 parallel_tool_calls=False, max_tokens=500)
    assert calls_of(reply) == [("get_weather", OSLO)] and reply["finish_reason"] == "tool_calls"


def test_32_streamed(server):
    streamed = stream_chat(server, "Weather in Oslo?", tools=[WEATHER],
                           **forced("I'll check.\n\n" + block(("get_weather", OSLO))))
    assert streamed.joined("content") == "I'll check."
    (call,) = streamed.calls()
    assert call["function"] == {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    first = streamed.deltas("tool_calls")[0][0]
    assert first["function"]["arguments"] == ""
    assert streamed.finish()["finish_reason"] == "tool_calls"
    kinds = [kind for choice in streamed.choices() for kind in ("content", "tool_calls")
             if choice["delta"].get(kind)]
    assert kinds == sorted(kinds), "content after a call"


def test_33_two_calls(server):
    text = "\n\n" + block(("get_weather", OSLO), ("get_weather", {"city": "Bergen", "days": 2}))
    both = [("get_weather", OSLO), ("get_weather", {"city": "Bergen", "days": 2})]
    assert calls_of(says(server, text)) == both
    assert calls_of(says(server, text, parallel_tool_calls=False)) == both[:1]


TYPES = {"type": "function", "function": {"name": "f", "parameters": {
    "type": "object", "properties": {
        "n": {"type": "integer"}, "x": {"type": "number"}, "b": {"type": "boolean"},
        "l": {"type": "array", "items": {"type": "integer"}}, "z": {"type": "null"},
        "o": {"type": "object", "properties": {"k": {"type": "number"}}}, "s": {"type": "string"},
        "either": {"type": ["integer", "string"]}, "any": {"anyOf": [{"type": "boolean"},
                                                                     {"type": "string"}]}}}}}


def test_34_types(server):
    typed = {"n": 3, "x": 1.5, "b": True, "l": [1, 2], "z": None, "o": {"k": 1.5}, "s": "7",
             "either": 42, "any": False}
    assert calls_of(says(server, block(("f", typed)), [TYPES])) == [("f", typed)]
    # The model marks everything as a string: the schema says what it is.
    strings = {key: value if isinstance(value, str) else json.dumps(value)
               for key, value in typed.items()}
    assert calls_of(says(server, block(("f", strings)), [TYPES])) == [("f", typed)]
    # No schema: what is marked as a string stays one.
    text = block(("g", {"a": "7", "b": 7, "c": [None]}))
    assert calls_of(says(server, text, [TYPES])) == [("g", {"a": "7", "b": 7, "c": [None]})]


def test_35_any_cut_of_the_text_gives_the_same(server):
    # The grammar lets every way through that spells the text: other seeds, other tokens.
    text = "I'll check.\n\n" + block(("get_weather", {"city": "Oslo", "days": 2}))
    seen = set()
    for seed in range(25):
        streamed = stream_chat(server, "Weather?", tools=[WEATHER], seed=seed,
                               return_token_ids=True, **forced(text))
        seen.add(tuple(id for choice in streamed.choices()
                       for id in choice.get("token_ids") or []))
        (call,) = streamed.calls()
        assert call["function"] == {"name": "get_weather",
                                    "arguments": '{"city": "Oslo", "days": 2}'}
        assert streamed.joined("content") == "I'll check."
        assert "DSML" not in json.dumps(streamed.chunks, ensure_ascii=False)
    assert len(seen) > 5, "the same tokens every time"


@pytest.mark.parametrize("value", [
    "a<b && c>d 2>&1>", "</", "x</parameter>y", 'a"b\\c', "two\nlines\n", "😀 你好 👩‍👩‍👧", "<c>",
    "", " ", "<｜DSML｜", "<think></think>", "\u2028 \t"], ids=repr)
def test_36_values_are_exact(server, value):
    whole = says(server, block(("get_weather", {"city": value})))
    assert calls_of(whole) == [("get_weather", {"city": value})]


@pytest.mark.parametrize("thinking", [False, True])
def test_37_the_tool_loop(server, thinking):
    more = {"tools": [WEATHER], "chat_template_kwargs": {"thinking": thinking}}
    told = answer(server, "/tokenize", {"messages": LOOP, **more})["tokens"]
    assert answer(server, "/detokenize", {"tokens": told})["prompt"] == loop_prompt(thinking)
    assert told == ids(loop_prompt(thinking))
    if not thinking:
        reply = chat(server, LOOP, **more, **forced("Oslo rain, Bergen sun."))
        assert reply["message"]["content"] == "Oslo rain, Bergen sun."
        assert reply["finish_reason"] == "stop" and calls_of(reply) == []


def test_37_a_reply_is_sent_back_as_it_came(server):
    message = says(server, "I'll check.\n\n" + block(("get_weather", OSLO)))["message"]
    messages = [*said("Weather?"), message, result(message["tool_calls"][0]["id"], "rain")]
    told = answer(server, "/tokenize", {"messages": messages})["tokens"]
    assert answer(server, "/detokenize", {"tokens": told})["prompt"] == (
        f"{BOS}{USER}Weather?{ASSISTANT}</think>I'll check.\n\n{block(('get_weather', OSLO))}{EOS}"
        "\n\n<function_results>\n<result>rain</result>\n</function_results>\n\n</think>")


def test_38_results_by_id(server):
    def tokens(messages):
        return answer(server, "/tokenize", {"messages": messages, "tools": [WEATHER]})["tokens"]

    assert tokens([*LOOP[:3], LOOP[4], LOOP[3]]) == tokens(LOOP)
    unknown = [*LOOP[:3], result("a", "rain"), result("b", "sun")]
    assert tokens(unknown) == tokens(LOOP), "by order where ids are not known"


@pytest.mark.parametrize("messages", [
    [*LOOP, result("call_3", "fog")], LOOP[:4], [result("call_1", "rain")],
    [*said("x"), {"role": "assistant", "content": "", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "[1]"}}]},
     result("1", "x")],
    [*said("x"), {"role": "assistant", "content": "", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{"}}]},
     result("1", "x")]], ids=["too many", "too few", "no call", "no object", "broken"])
def test_38_histories_that_are_wrong(server, messages):
    refused(server, CHAT, {"messages": messages, "tools": [WEATHER]})


def test_39_no_arguments(server):
    for text in (block(("now", {})), block(("now", {})).replace("\n\n", "\n")):
        reply = says(server, "\n\n" + text, [NOW])
        assert reply["message"]["tool_calls"][0]["function"]["arguments"] == "{}"
    for arguments in ("", "{}", None):
        call = called("1", "list_files", {})
        call["function"]["arguments"] = arguments
        told = answer(server, "/tokenize", {"messages": [
            *said("list"), {"role": "assistant", "content": "", "tool_calls": [call]},
            result("1", "a.txt")]})["tokens"]
        assert answer(server, "/detokenize", {"tokens": told})["prompt"] == (
            f"{BOS}{USER}list{ASSISTANT}</think>\n\n{block(('list_files', {}))}{EOS}\n\n"
            "<function_results>\n<result>a.txt</result>\n</function_results>\n\n</think>")


def test_40_none(server):
    text = block(("get_weather", OSLO))
    reply = says(server, text, tool_choice="none")
    assert calls_of(reply) == [] and reply["finish_reason"] == "stop"
    assert reply["message"]["content"] == text


def test_40_required(server):
    for seed in range(3):
        reply = chat(server, "x", tools=[WEATHER_IN_OSLO], tool_choice="required", seed=seed,
                     parallel_tool_calls=False, max_tokens=500)
        assert calls_of(reply) == [("get_weather", OSLO)]
        streamed = stream_chat(server, "x", tools=[WEATHER_IN_OSLO], tool_choice="required",
                               seed=seed, parallel_tool_calls=False, max_tokens=500)
        assert json.loads(streamed.calls()[0]["function"]["arguments"]) == OSLO
        assert streamed.finish()["finish_reason"] == "tool_calls"


def test_40_required_behind_a_thought(server):
    reply = chat(server, "x", tools=[WEATHER_IN_OSLO], tool_choice="required", max_tokens=1500,
                 parallel_tool_calls=False, logit_bias={str(token("</think>")): 6},
                 chat_template_kwargs={"thinking": True})
    assert calls_of(reply) == [("get_weather", OSLO)]


def test_40_named(server):
    choice = {"type": "function", "function": {"name": "now"}}
    reply = chat(server, "x", tools=[WEATHER, NOW], tool_choice=choice, max_tokens=500,
                 logit_bias={str(ids("}")[0]): 4})
    ((name, arguments),) = calls_of(reply)
    assert name == "now" and isinstance(arguments, dict)
    assert reply["finish_reason"] == "stop" and not reply["message"]["content"]
    choice["function"]["name"] = "get_weather"
    reply = chat(server, "x", tools=[WEATHER_IN_OSLO, NOW], tool_choice=choice, max_tokens=500)
    assert calls_of(reply) == [("get_weather", OSLO)]


@pytest.mark.parametrize("fields,message", [
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "g"}}},
     "The tool specified in `tool_choice` does not match any of the specified `tools`"),
    ({"tool_choice": "required"}, "When using `tool_choice`, `tools` must be set."),
    ({"tool_choice": {"type": "function", "function": {"name": "g"}}},
     "When using `tool_choice`, `tools` must be set."),
    ({"tools": [WEATHER], "tool_choice": "always"},
     "Invalid value for `tool_choice`: always! Only named tools, \"none\", \"auto\" or "
     "\"required\" are supported."),
    ({"tools": [{"type": "function"}]}, ""), ({"tools": "get_weather"}, ""),
    ({"tools": [{"type": "web_search"}]}, "")], ids=str)
def test_40_choices_that_are_wrong(server, fields, message):
    assert message in refused(server, CHAT, {"messages": said("x"), **fields})


@pytest.mark.parametrize("text", ["a < b", "Use the <｜DSML｜ token", "<", "<｜DSML｜function_call",
                                  "if a <b: print('</think')"])
def test_35_what_is_no_call_is_content(server, text):
    reply = says(server, text)
    assert reply["message"]["content"] == text and calls_of(reply) == []
    assert reply["finish_reason"] == "stop"


def test_35_a_call_cut_short(server):
    text = block(("get_weather", {"city": "Oslo and all the towns around it for a long time"}))
    body = {"tools": [WEATHER], "max_tokens": len(ids(text)) // 2, "temperature": 0, **forced(text)}
    whole = chat(server, "x", **body)
    assert whole["finish_reason"] == "length" and calls_of(whole) == []
    streamed = stream_chat(server, "x", **body)
    assert streamed.finish()["finish_reason"] == "length"
    for call in streamed.calls():
        assert json.loads(call["function"]["arguments"]).get("city", "Oslo").startswith("Oslo")


def test_66_tools_of_none(server):
    bare = answer(server, "/tokenize", {"messages": said("Hi")})["tokens"]
    assert answer(server, "/tokenize", {"messages": said("Hi"), "tools": []})["tokens"] == bare
    reply = chat(server, "Hi", tools=[], **forced("Hello."))
    assert reply["usage"]["prompt_tokens"] == len(bare) and calls_of(reply) == []
