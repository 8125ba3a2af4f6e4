"""Acceptance checks of /v1/chat/completions without tools: prompts, thinking, formats, logprobs."""
import json

import jsonschema
import pytest

from dsml import ASSISTANT, BOS, EOS, TOOLS_OF_WEATHER, USER, WEATHER
from server import ROOT
from wire import (CHAT, answer, chat, complete, forced, ids, refused, said, stream_chat, token)

THINK = {"chat_template_kwargs": {"thinking": True}}
HI = f"{BOS}{USER}Hi{ASSISTANT}</think>"


def test_25_hi(server):
    reply = chat(server, "Hi", max_tokens=16, temperature=0)
    content = reply["message"]["content"]
    assert content and "<think>" not in content and "</think>" not in content
    assert "<｜" not in content and reply["message"].get("reasoning") is None
    assert reply["usage"]["prompt_tokens"] == len(ids(HI)) == 4 + len(ids("Hi"))
    assert chat(server, "Hi", **forced("Hello."))["message"]["content"] == "Hello."


def test_25_without_max_tokens_it_ends_by_itself(server):
    reply = chat(server, "Hi", **forced("Hello."))
    assert reply["finish_reason"] == "stop" and reply["stop_reason"] is None


# §4.4; what a test sends beside the messages, and the prompt it makes.
PROMPTS = {
    "A": (said("Hi"), {}, HI),
    "B": ([{"role": "system", "content": "Be brief."}, *said("Hi")], THINK,
          f"{BOS}Be brief.{USER}Hi{ASSISTANT}<think>"),
    "C": ([*said("hello"), {"role": "assistant", "reasoning": "Say hello.",
                            "content": "Hello! I am DeepSeek."}, *said("1+1=?")], THINK,
          f"{BOS}{USER}hello{ASSISTANT}</think>Hello! I am DeepSeek.{EOS}{USER}1+1=?{ASSISTANT}"
          "<think>"),
    "D": ([{"role": "system", "content": "Be brief."}, *said("Weather in Oslo?")],
          {"tools": [WEATHER]},
          f"{BOS}Be brief.\n\n{TOOLS_OF_WEATHER}{USER}Weather in Oslo?{ASSISTANT}</think>"),
    "I": ([*said("Write a haiku"), {"role": "assistant", "content": "Autumn moonlight",
                                    "prefix": True}], {},
          f"{BOS}{USER}Write a haiku{ASSISTANT}</think>Autumn moonlight"),
    "I, continued": ([*said("Write a haiku"), {"role": "assistant",
                                               "content": "Autumn moonlight"}],
                     {"continue_final_message": True, "add_generation_prompt": False},
                     f"{BOS}{USER}Write a haiku{ASSISTANT}</think>Autumn moonlight"),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_26_prompts(server, name):
    messages, more, text = PROMPTS[name]
    prompt = answer(server, "/tokenize", {"messages": messages, **more})
    told = answer(server, "/detokenize", {"tokens": prompt["tokens"]})["prompt"]
    assert told == text
    assert prompt["tokens"] == ids(text) and prompt["count"] == len(prompt["tokens"])
    if more.get("add_generation_prompt") is None:
        reply = chat(server, messages, max_tokens=1, **more)
        assert reply["usage"]["prompt_tokens"] == prompt["count"]


@pytest.mark.parametrize("name", ["", "_search_wo_date"])
def test_27_golden_chats(server, name):
    folder = ROOT / "tests" / "golden" / "chat"
    chats = json.loads((folder / f"test_input{name}.json").read_text())
    want = (folder / f"test_output{name}.txt").read_text()
    prompt = answer(server, "/tokenize", {**chats, **THINK})
    told = answer(server, "/detokenize", {"tokens": prompt["tokens"]})["prompt"]
    assert told == (want if name else want.removesuffix("\n"))


def thoughtful(server, send=chat, reply="Yes.", **more):
    """A reply with a thought and the answer `reply`, whatever the model: the end of the thought is
    made likely, and the answer behind it is the only one allowed."""
    body = {"logit_bias": {str(token("</think>")): 6}, "max_tokens": 1000, "temperature": 1,
            **forced(reply), **THINK, **more}
    for seed in range(20):
        whole = chat(server, "Is it?", seed=seed, **body)
        if whole["message"]["reasoning"] and whole["finish_reason"] == "stop":
            return whole if send is chat else send(server, "Is it?", seed=seed, **body)
    raise AssertionError(f"no thought and answer in 20 tries; the last: {whole}")


@pytest.mark.parametrize("kwargs", [{"thinking": True}, {"enable_thinking": True}], ids=str)
@pytest.mark.needs_full_size_model("that the thought makes sense")
def test_28_thinking(server, kwargs):
    message = thoughtful(server, chat_template_kwargs=kwargs)["message"]
    assert message["content"] == "Yes."
    assert message["reasoning"] == message["reasoning_content"]
    assert "think>" not in message["reasoning"]


@pytest.mark.parametrize("more", [{"chat_template_kwargs": {"thinking": False}}, {}], ids=str)
def test_28_without_thinking(server, more):
    message = chat(server, "Is it?", **forced("Yes."), **more)["message"]
    assert message["content"] == "Yes."
    assert message.get("reasoning") is None and message.get("reasoning_content") is None


def test_28_deepseeks_own_switch(server):
    for kind, tag in (("enabled", "<think>"), ("disabled", "</think>")):
        told = answer(server, "/tokenize", {
            "messages": said("Hi"), "chat_template_kwargs": {"thinking": kind == "enabled"}})
        assert told["tokens"][-1] == token(tag)
        reply = chat(server, "Hi", thinking={"type": kind}, max_tokens=3, ignore_eos=True,
                     logit_bias={str(token("</think>")): -100})
        assert bool(reply["message"].get("reasoning")) == (kind == "enabled")


def test_29_a_thought_cut_short(server):
    body = {"max_tokens": 5, "temperature": 0, "ignore_eos": True,
            "logit_bias": {str(token("</think>")): -100, str(token("<think>")): -100}}
    reply = chat(server, "Hi", **THINK, **body)
    assert reply["message"]["content"] is None and reply["finish_reason"] == "length"
    prompt = answer(server, "/tokenize", {"messages": said("Hi"), **THINK})["tokens"]
    assert reply["message"]["reasoning"] == complete(server, prompt, **body)["text"] != ""


def test_30_thinking_streamed(server):
    whole = thoughtful(server)
    streamed = thoughtful(server, send=stream_chat)
    deltas = [choice["delta"] for choice in streamed.choices()]
    assert not any(delta.get("reasoning") and delta.get("content") for delta in deltas)
    kinds = ["reasoning" if delta.get("reasoning") else "content" for delta in deltas
             if delta.get("reasoning") or delta.get("content")]
    assert kinds == sorted(kinds, reverse=True) and set(kinds) == {"reasoning", "content"}
    assert streamed.joined("reasoning") == whole["message"]["reasoning"]
    assert streamed.joined("content") == whole["message"]["content"] == "Yes."


def test_30_include_reasoning_false(server):
    message = thoughtful(server)["message"]
    body = {"logit_bias": {str(token("</think>")): 6}, "max_tokens": 1000, **forced("Yes."),
            **THINK}
    seed = next(seed for seed in range(20) if
                chat(server, "Is it?", seed=seed, **body)["message"] == message)
    hidden = chat(server, "Is it?", seed=seed, include_reasoning=False, **body)["message"]
    assert hidden["content"] == "Yes." and hidden.get("reasoning") is None


def test_41_fields_that_clients_send_back(server):
    history = [*said("Hi"), {"role": "assistant", "content": None, "refusal": None, "audio": None,
                             "function_call": None, "annotations": None, "tool_calls": []},
               *said("Hi?")]
    reply = chat(server, history, max_tokens=1, store=True, metadata={"a": "b"}, never_heard_of=[1],
                 service_tier="auto", verbosity="low", prompt_cache_key="k", safety_identifier="s")
    told = answer(server, "/tokenize", {"messages": history})
    assert reply["usage"]["prompt_tokens"] == told["count"]
    assert told["tokens"] == ids(
        f"{BOS}{USER}Hi{ASSISTANT}</think>{EOS}{USER}Hi?{ASSISTANT}</think>")


def test_42_content_parts(server):
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]
    told = answer(server, "/tokenize", {"messages": said(parts)})["tokens"]
    assert told == ids(f"{BOS}{USER}One\ntwo{ASSISTANT}</think>")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    refused(server, CHAT, {"messages": said([*parts, image])})


@pytest.mark.parametrize("messages", [[], said(7), [{"content": "Hi"}],
                                      [{"role": "function", "name": "f", "content": "x"}],
                                      [{"role": "latest_reminder", "content": "x"}]], ids=str)
def test_42_what_is_no_chat(server, messages):
    refused(server, CHAT, {"messages": messages})


SCHEMA = {"type": "object", "additionalProperties": False,
          "properties": {"sure": {"type": "boolean"}, "mood": {"enum": ["good", "bad"]},
                         "level": {"$ref": "#/$defs/level"},
                         "marks": {"type": "array", "items": {"type": "boolean"}, "minItems": 1,
                                   "maxItems": 3}},
          "required": ["sure", "mood", "level", "marks"],
          "$defs": {"level": {"type": "string", "maxLength": 5}}}


def json_schema(schema=None):
    return {"type": "json_schema", "json_schema": {
        "name": "answer", "description": "An answer.", "strict": True, "schema": schema or SCHEMA}}


@pytest.mark.needs_full_size_model("that the answer is true")
def test_45_json_schema(server):
    for seed in range(3):
        reply = chat(server, "Is it?", response_format=json_schema(), max_tokens=2000, seed=seed)
        assert reply["finish_reason"] == "stop", reply
        jsonschema.validate(json.loads(reply["message"]["content"]), SCHEMA)


def test_45_json_object(server):
    # A model that was not taught JSON would go on for long: the quote and the closing brace are
    # made likely.
    bias = {str(ids(text)[0]): 12 for text in ('"', "}")}
    reply = chat(server, "Is it?", response_format={"type": "json_object"}, max_tokens=4000,
                 logit_bias=bias)
    assert reply["finish_reason"] == "stop", reply
    assert isinstance(json.loads(reply["message"]["content"]), dict)


def test_45_thinking_comes_before_the_schema(server):
    body = {"logit_bias": {str(token("</think>")): 6}, "max_tokens": 2000, **THINK}
    for seed in range(3):
        reply = chat(server, "Is it?", response_format=json_schema(), seed=seed, **body)
        jsonschema.validate(json.loads(reply["message"]["content"]), SCHEMA)


def test_45_regex_grammar_and_choice(server):
    for one, check in (({"regex": "[a-c]{3}-[0-9]{2}"}, lambda text: text[3] == "-"),
                       ({"choice": ["yes", "no"]}, lambda text: text in ("yes", "no")),
                       ({"grammar": 'root ::= "a" | "b" "c"'}, lambda text: text in ("a", "bc")),
                       ({"json": {"enum": [1, 2]}}, lambda text: text in ("1", "2"))):
        content = chat(server, "x", structured_outputs=one, max_tokens=50)["message"]["content"]
        assert check(content), (one, content)
        assert check(complete(server, "x", structured_outputs=one, max_tokens=50)["text"])


@pytest.mark.parametrize("format", [
    {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"name": "x"}},
    {"type": "nonsense"}, json_schema({"$ref": "#/$defs/none"}),
    json_schema({"type": "object", "properties": {"a": {"type": "no such type"}}})], ids=str)
def test_45_what_is_no_format(server, format):
    message = refused(server, CHAT, {"messages": said("x"), "response_format": format})
    if len(format) == 1 and format["type"] == "json_schema":
        assert message == "When response_format type is 'json_schema', the 'json_schema' field " \
                          "must be provided."


def test_51_logprobs(server):
    body = {"logprobs": True, "top_logprobs": 3, "max_tokens": 10, "temperature": 0}
    whole = chat(server, "Hi", **body)
    content = whole["logprobs"]["content"]
    assert len(content) == whole["usage"]["completion_tokens"]
    for entry in content:
        assert len(entry["top_logprobs"]) == 3
        for one in [entry, *entry["top_logprobs"]]:
            assert bytes(one["bytes"]).decode("utf-8", "replace") == one["token"] or \
                "\ufffd" in one["token"] or one["token"] == ""
            assert -9999 <= one["logprob"] <= 0
        assert entry["top_logprobs"][0]["logprob"] == entry["logprob"]
    streamed = stream_chat(server, "Hi", **body)
    again = [entry for choice in streamed.choices() if choice["logprobs"]
             for entry in choice["logprobs"]["content"]]
    assert again == content
    assert chat(server, "Hi", max_tokens=1)["logprobs"] is None
    bare = chat(server, "Hi", logprobs=True, max_tokens=1)["logprobs"]["content"]
    assert bare[0]["top_logprobs"] == []
    message = refused(server, CHAT, {"messages": said("x"), "top_logprobs": 2})
    assert message == "when using `top_logprobs`, `logprobs` must be set to true."


def test_65_developer(server):
    developer = {"role": "developer", "content": "Be brief."}
    for more in ({}, THINK):
        tag = "<think>" if more else "</think>"
        told = answer(server, "/tokenize", {"messages": [developer, *said("Hi")], **more})["tokens"]
        assert told == ids(f"{BOS}Be brief.{USER}Hi{ASSISTANT}{tag}")
        chat(server, [developer, *said("Hi")], max_tokens=2, **more)
        alone = answer(server, "/tokenize", {"messages": [developer], **more})["tokens"]
        assert alone == ids(f"{BOS}{USER}\n\n# The user's message is: Be brief.{ASSISTANT}{tag}")


def test_70_contradictions_of_a_chat(server):
    message = refused(server, CHAT, {"messages": said("x"), "continue_final_message": True,
                                     "add_generation_prompt": True})
    assert message == \
        "Cannot set both `continue_final_message` and `add_generation_prompt` to True."
    message = refused(server, CHAT, {"messages": said("x"), "chat_template": "{{ x }}"})
    assert message.startswith("Chat template is passed with request, but "
                              "--trust-request-chat-template is not set.")
    message = refused(server, CHAT, {"messages": said("x"),
                                     "stream_options": {"include_usage": True}})
    assert message == "Stream options can only be defined when `stream=True`."
