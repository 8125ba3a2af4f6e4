"""Acceptance checks of /v1/completions: what is generated, where it ends, what is refused.

The number in a test's name is the check's; README.md says which are not whole here."""
import json
import math
import subprocess

import pytest

from server import M, MODEL, NAMES
from wire import (COMPLETIONS, answer, complete, forced, get, ids, post, refused, request, stream,
                  token, tokenizer, vocabulary)

SEED_PROMPT = "The future of AI is"
GREEDY = {"temperature": 0, "ignore_eos": True}


def curl(*words):
    """What curl prints: (status, body)."""
    done = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}", *words], timeout=60,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    body, status = done.stdout.rsplit("\n", 1)
    return int(status), body


def test_01_curl(server):
    body = {"model": "deepseek_v3.2", "prompt": SEED_PROMPT, "max_tokens": 50, "temperature": 0}
    replies = []
    for _ in range(2):
        status, text = curl(server.url + COMPLETIONS, "-H", "Content-Type: application/json",
                            "-d", json.dumps(body))
        assert status == 200, text
        replies.append(json.loads(text))
    first, second = replies
    assert first["object"] == "text_completion" and first["model"] == "dsv3"
    assert len(first["choices"]) == 1
    assert first["usage"]["prompt_tokens"] == len(ids(SEED_PROMPT))
    assert 0 < first["usage"]["completion_tokens"] <= 50
    assert first["choices"][0]["text"] == second["choices"][0]["text"] != ""


def test_02_models(server):
    models = get(server, "/v1/models").json()
    assert models["object"] == "list"
    assert [card["id"] for card in models["data"]] == NAMES
    for card in models["data"]:
        assert card["object"] == "model" and card["max_model_len"] == M and card["root"] == MODEL
    for name in NAMES:
        reply = answer(server, COMPLETIONS, {"model": name, "prompt": "x", "max_tokens": 1})
        assert reply["model"] == NAMES[0]


def test_04_stream(server):
    body = {"model": "deepseek_v3.2", "max_tokens": 50, "temperature": 0}
    whole = complete(server, SEED_PROMPT, **body)
    streamed = stream(server, prompt=SEED_PROMPT, **body)
    assert streamed.text() == whole["text"]
    assert streamed.finish()["finish_reason"] == whole["finish_reason"]
    assert streamed.usage is None


def test_05_include_usage(server):
    body = {"max_tokens": 20, "temperature": 0}
    whole = complete(server, SEED_PROMPT, **body)
    streamed = stream(server, prompt=SEED_PROMPT, stream_options={"include_usage": True}, **body)
    assert {key: streamed.usage[key] for key in whole["usage"] if key in streamed.usage} == \
           {key: whole["usage"][key] for key in whole["usage"] if key in streamed.usage}
    assert {"prompt_tokens", "completion_tokens", "total_tokens"} <= set(streamed.usage)


def something_inside(text):
    """Four whole characters out of the middle that do not come earlier, and what is before."""
    for at in range(len(text) // 3, len(text) - 4):
        stop = text[at:at + 4]
        if "\ufffd" not in stop and text.find(stop) == at:
            return stop, text[:at]
    raise AssertionError(f"nothing to stop at in {text!r}")


def test_08_stop_string_across_tokens(server):
    text = complete(server, SEED_PROMPT, max_tokens=60, **GREEDY)["text"]
    stop, before = something_inside(text)
    body = {"max_tokens": 60, "stop": [stop], **GREEDY}
    whole = complete(server, SEED_PROMPT, **body)
    assert (whole["text"], whole["finish_reason"], whole["stop_reason"]) == (before, "stop", stop)
    kept = complete(server, SEED_PROMPT, include_stop_str_in_output=True, **body)
    assert kept["text"] == before + stop
    streamed = stream(server, prompt=SEED_PROMPT, **body)
    assert streamed.text() == before
    assert streamed.finish()["stop_reason"] == stop


def test_08_stop_at_question(server):
    reply = {"prompt": "x", "stop": ["Question:"], "max_tokens": 200,
             **forced("It is blue.\n\nQuestion: and the sea?")}
    whole = complete(server, **reply)
    assert (whole["text"], whole["finish_reason"], whole["stop_reason"]) == \
           ("It is blue.\n\n", "stop", "Question:")
    streamed = stream(server, **reply)
    sent = ""
    for text in streamed.texts():
        sent += text
        assert "It is blue.\n\n".startswith(sent), f"a piece of the stop string left: {sent!r}"
    assert sent == "It is blue.\n\n"


def test_09_max_tokens(server):
    one = complete(server, SEED_PROMPT, max_tokens=1, **GREEDY)
    assert one["usage"]["completion_tokens"] == 1 and one["finish_reason"] == "length"
    assert complete(server, SEED_PROMPT, **GREEDY)["usage"]["completion_tokens"] == 16


def test_10_ignore_eos(server):
    reply = complete(server, SEED_PROMPT, max_tokens=300, ignore_eos=True)
    assert reply["usage"]["completion_tokens"] == 300 and reply["finish_reason"] == "length"


def test_11_end_token(server):
    reply = complete(server, "x", max_tokens=50, return_token_ids=True, **forced("Hi!"))
    assert (reply["text"], reply["finish_reason"], reply["stop_reason"]) == ("Hi!", "stop", None)
    assert reply["token_ids"][-1] == token("<｜end▁of▁sentence｜>")
    assert reply["usage"]["completion_tokens"] == len(reply["token_ids"])
    end = {str(token("<｜end▁of▁sentence｜>")): 100}
    assert complete(server, "x", logit_bias=end)["text"] == ""


def test_12_unknown_model(server):
    for path, more in ((COMPLETIONS, {"prompt": "x"}),
                       ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]})):
        reply = post(server, path, {"model": "x", **more})
        assert reply.status_code == 404
        error = reply.json()["error"]
        assert error["message"] == "The model `x` does not exist."
        assert error["type"] == "NotFoundError" and error["code"] == 404


BROKEN = [b'{"model":', b"", b"[]", b'"text"', b'{"prompt":"x"}}', b'\xef\xbb\xbf{"prompt":"x"}',
          b'{"prompt":"\xff"}', b'{"prompt":"\\ud800"}', b'{"prompt":"x","temperature":NaN}',
          b'{"prompt":"x","user":' + b"[" * 200 + b"]" * 200 + b"}"]


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: repr(body[:24]))
def test_13_broken_json(server, body):
    refused(server, COMPLETIONS, body, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_14_content_type(server, kind):
    reply = request(server, "POST", COMPLETIONS, content=b'{"prompt":"x"}',
                    headers={} if kind is None else {"Content-Type": kind})
    assert reply.status_code == 400, reply.text
    assert "Unsupported Media Type: Only 'application/json' is allowed" in \
        reply.json()["error"]["message"]


def test_14_plain_curl(server):
    status, body = curl(server.url + COMPLETIONS, "-d", '{"prompt":"x"}')
    assert status == 400 and "Unsupported Media Type" in body
    status, body = curl(server.url + COMPLETIONS, "-d", '{"prompt":"x","max_tokens":1}', "-H",
                        "Content-Type: application/json; charset=utf-8")
    assert status == 200, body


def test_15_wrong_method(server):
    for path in (COMPLETIONS, "/v1/chat/completions"):
        reply = get(server, path)
        assert reply.status_code == 405 and reply.headers["allow"] == "POST"
        assert reply.json() == {"detail": "Method Not Allowed"}


def test_16_unknown_route(server):
    reply = get(server, "/nope")
    assert reply.status_code == 404 and reply.json() == {"detail": "Not Found"}


def test_17_prompt_too_long(server):
    for length in (M, M + 10):
        message = refused(server, COMPLETIONS, {"prompt": [300] * length, "max_tokens": 1})
        assert "maximum context length is" in message, message
        assert str(length) in message, message
    message = refused(server, COMPLETIONS, {"prompt": [300] * (M - 10), "max_tokens": 11})
    assert "maximum context length is" in message, message


def test_18_prompts_in_lists(server):
    texts = ["One", "And two", "The third of them"]
    body = {"max_tokens": 8, **GREEDY}
    alone = [complete(server, text, **body)["text"] for text in texts]
    for prompt in (texts, [ids(text) for text in texts]):
        reply = answer(server, COMPLETIONS, {"prompt": prompt, **body})
        assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2]
        assert [choice["text"] for choice in reply["choices"]] == alone
        assert reply["usage"]["prompt_tokens"] == sum(len(ids(text)) for text in texts)
        assert reply["usage"]["completion_tokens"] == 24


def ten_ids():
    """Ten tokens of plain ASCII."""
    found = ids("The cat sat on the mat and then it slept there.")[:10]
    assert len(found) == 10
    return found


def test_19_echo_with_logprobs(server):
    prompt = ten_ids()
    body = {"prompt": prompt, "max_tokens": 1, "temperature": 0}
    reply = complete(server, echo=True, logprobs=1, **body)
    logprobs = reply["logprobs"]
    assert {key: len(value) for key, value in logprobs.items()} == dict.fromkeys(
        ("text_offset", "token_logprobs", "tokens", "top_logprobs"), 11)
    assert logprobs["token_logprobs"][0] is None and logprobs["top_logprobs"][0] is None
    assert reply["text"].startswith(tokenizer().decode(prompt, skip_special_tokens=False))
    assert logprobs["text_offset"] == [sum(map(len, logprobs["tokens"][:i])) for i in range(11)]
    other = complete(server, prompt_logprobs=0, **body)["prompt_logprobs"]
    same = [entry[str(id)]["logprob"] for entry, id in zip(other[1:], prompt[1:])]
    assert logprobs["token_logprobs"][1:10] == pytest.approx(same, abs=1e-6)
    assert all(-50 < value <= 0 for value in same)


def test_20_the_likeliest_token_by_float_equality(server):
    prompt = ten_ids()
    body = {"prompt": prompt, "max_tokens": 8, "logprobs": 1, "return_tokens_as_token_ids": True,
            **GREEDY}
    logprobs = complete(server, echo=True, prompt_logprobs=1, **body)
    ranks = [entry[str(id)]["rank"] for entry, id in zip(logprobs["prompt_logprobs"][1:],
                                                          prompt[1:])]
    values = logprobs["logprobs"]
    for i in range(1, 18):
        tops, value = values["top_logprobs"][i], values["token_logprobs"][i]
        greedy = ranks[i - 1] == 1 if i < 10 else True
        assert (value == max(tops.values())) == greedy, (i, tops, value)
        assert len(tops) == (1 if greedy else 2), tops
    # A prompt of what the model itself says: each of its tokens is the likeliest.
    said = complete(server, prompt, max_tokens=8, return_token_ids=True, **GREEDY)["token_ids"]
    body["prompt"] = prompt + said
    again = complete(server, echo=True, **body)["logprobs"]
    for tops, value in list(zip(again["top_logprobs"], again["token_logprobs"]))[10:18]:
        assert list(tops.values()) == [value]


def test_21_echo_of_the_prompt_alone(server):
    reply = complete(server, ten_ids(), echo=True, max_tokens=0, logprobs=1)
    assert reply["text"] == tokenizer().decode(ten_ids(), skip_special_tokens=False)
    assert reply["usage"]["completion_tokens"] == 0
    assert len(reply["logprobs"]["tokens"]) == 10
    refused(server, COMPLETIONS, {"prompt": "x", "max_tokens": 0})


def test_46_n(server):
    body = {"prompt": SEED_PROMPT, "n": 3, "temperature": 1, "seed": 7, "max_tokens": 12}
    first, second = (answer(server, COMPLETIONS, body) for _ in range(2))
    texts = [choice["text"] for choice in first["choices"]]
    assert [choice["index"] for choice in first["choices"]] == [0, 1, 2]
    assert len(set(texts)) > 1, "three samples are all the same"
    assert texts == [choice["text"] for choice in second["choices"]]
    assert first["usage"]["prompt_tokens"] == len(ids(SEED_PROMPT))
    message = refused(server, COMPLETIONS, {"prompt": "x", "n": 2, "temperature": 0})
    assert message == "n must be 1 when using greedy sampling, got 2."
    refused(server, COMPLETIONS, {"prompt": "x", "n": 1_000_000_000})


OUT_OF_RANGE = [
    ({"n": 0}, "n must be at least 1, got 0."),
    ({"presence_penalty": 3}, "presence_penalty must be in [-2, 2], got 3.0."),
    ({"frequency_penalty": -2.5}, "frequency_penalty must be in [-2, 2], got -2.5."),
    ({"repetition_penalty": 0}, "repetition_penalty must be greater than zero, got 0.0."),
    ({"temperature": -1}, "temperature must be non-negative, got -1.0."),
    ({"top_p": 0}, "top_p must be in (0, 1], got 0.0."),
    ({"top_p": 1.5}, "top_p must be in (0, 1], got 1.5."),
    ({"top_k": -2}, "top_k must be 0 (disable), or at least 1, got -2."),
    ({"min_p": 2}, "min_p must be in [0, 1], got 2.0."),
    ({"max_tokens": 0}, "max_tokens must be at least 1, got 0."),
    ({"max_tokens": 5, "min_tokens": 9},
     "min_tokens must be less than or equal to max_tokens=5, got 9."),
    ({"logprobs": 21},
     "Requested sample logprobs of 21, which is greater than max allowed: 20"),
    ({"prompt_logprobs": 21},
     "Requested prompt logprobs of 21, which is greater than max allowed: 20"),
    ({"logprobs": -2}, "`logprobs` must be a positive value."),
    ({"stop": [""]}, "stop cannot contain an empty string."),
    ({"logit_bias": {"999999": 1}}, "token_id(s) [999999] in logit_bias contain out-of-vocab token "
                                    "ids. Vocabulary size: {vocabulary}"),
    ({"allowed_token_ids": []}, "allowed_token_ids is not None and empty!"),
    ({"prompt": [200000]}, "Token id 200000 is out of vocabulary"),
    ({"prompt": ""}, "The decoder prompt cannot be empty"),
    ({"prompt": [[]]}, "The decoder prompt cannot be empty"),
    ({"prompt": []}, "Either prompt or prompt_embeds must be provided and non-empty."),
    ({"cache_salt": ""}, "Parameter 'cache_salt' must be a non-empty string if provided."),
]


@pytest.mark.parametrize("fields,message", OUT_OF_RANGE, ids=lambda value: str(value)[:60])
def test_47_out_of_range(server, fields, message):
    told = refused(server, COMPLETIONS, {"prompt": "x", **fields})
    assert message.replace("{vocabulary}", str(vocabulary())) in told


def test_48_min_tokens(server):
    end = {str(token("<｜end▁of▁sentence｜>")): 100}
    reply = complete(server, "x", min_tokens=20, max_tokens=40, temperature=0, logit_bias=end)
    assert reply["usage"]["completion_tokens"] == 21 and reply["finish_reason"] == "stop"


def test_49_logit_bias(server):
    one = ids(" the")[0]
    reply = complete(server, "x", max_tokens=8, logit_bias={str(one): 100}, return_token_ids=True,
                     ignore_eos=True)
    assert reply["token_ids"] == [one] * 8


def test_50_stop_token_ids(server):
    body = {"prompt": SEED_PROMPT, "max_tokens": 40, "return_token_ids": True, **GREEDY}
    free = complete(server, **body)["token_ids"]
    stop = next(id for i, id in enumerate(free) if i >= 4 and free.index(id) == i)
    cut = complete(server, stop_token_ids=[stop], **body)
    assert (cut["finish_reason"], cut["stop_reason"]) == ("stop", stop)
    assert cut["token_ids"] == free[:free.index(stop) + 1]
    kept = complete(server, stop_token_ids=[stop], include_stop_str_in_output=True, **body)
    alone = tokenizer().decode(cut["token_ids"], skip_special_tokens=True)
    assert kept["text"] == alone and alone.startswith(cut["text"])
    assert cut["text"] == tokenizer().decode(cut["token_ids"][:-1], skip_special_tokens=True)


def test_52_prompt_logprobs(server):
    prompt = ten_ids()
    for k in (0, 3):
        entries = complete(server, prompt, max_tokens=1, prompt_logprobs=k)["prompt_logprobs"]
        assert len(entries) == 10 and entries[0] is None
        for entry, id in zip(entries[1:], prompt[1:]):
            first = next(iter(entry))
            assert first == str(id) and len(entry) in ((1,) if k == 0 else (k, k + 1))
            assert entry[first]["decoded_token"] == tokenizer().decode([id])
            assert entry[first]["rank"] >= 1 and math.isfinite(entry[first]["logprob"])
            if k:
                values = [top["logprob"] for top in list(entry.values())[1:]]
                assert values == sorted(values, reverse=True)


def test_53_return_token_ids(server):
    body = {"prompt": SEED_PROMPT, "max_tokens": 20, "return_token_ids": True, **GREEDY}
    streamed = stream(server, **body)
    chunks = streamed.choices()
    assert chunks[0]["prompt_token_ids"] == ids(SEED_PROMPT)
    joined = [id for chunk in chunks for id in chunk["token_ids"] or []]
    assert len(joined) == 20
    assert tokenizer().decode(joined, skip_special_tokens=True) == streamed.text()
    whole = complete(server, **body)
    assert whole["token_ids"] == joined and whole["prompt_token_ids"] == ids(SEED_PROMPT)
    told = answer(server, "/tokenize", {"prompt": SEED_PROMPT})
    assert told["tokens"] == ids(SEED_PROMPT)


def test_54_no_half_characters(server):
    text = "😀 你好，世界 café 👩‍👩‍👧 한국어 ∑𝛼"
    for seed in range(4):
        streamed = stream(server, prompt="x", max_tokens=200, seed=seed, **forced(text))
        assert streamed.text() == text
        assert not any("\ufffd" in piece for piece in streamed.texts())


def test_67_null_is_the_default(server):
    fields = ["stop", "logprobs", "seed", "max_tokens", "temperature", "top_p", "top_k", "min_p",
              "n", "presence_penalty", "frequency_penalty", "repetition_penalty",
              "logit_bias", "user", "stop_token_ids", "stream", "stream_options",
              "echo", "prompt_logprobs", "suffix", "response_format",
              "structured_outputs", "allowed_token_ids", "kv_transfer_params",
              "truncate_prompt_tokens", "model", "best_of"]
    reply = complete(server, SEED_PROMPT, ignore_eos=True, **dict.fromkeys(fields))
    assert reply["usage"]["completion_tokens"] == 16


def test_69_continuous_usage(server):
    streamed = stream(server, prompt=SEED_PROMPT, max_tokens=12, stream_options={
        "include_usage": True, "continuous_usage_stats": True}, **GREEDY)
    counts = [chunk["usage"]["completion_tokens"] for chunk in streamed.chunks]
    assert counts == sorted(counts) and counts[0] >= 1 and counts[-1] == 12
    assert {chunk["usage"]["prompt_tokens"] for chunk in streamed.chunks} == {len(ids(SEED_PROMPT))}


@pytest.mark.parametrize("fields,message", [
    ({"stream_options": {"include_usage": True}},
     "Stream options can only be defined when `stream=True`."),
    ({"prompt_logprobs": 1, "stream": True},
     "`prompt_logprobs` are not available when `stream=True`."),
    ({"use_beam_search": True}, ""),
    ({"suffix": "x"}, "suffix is not currently supported"),
    ({"best_of": 2}, ""),
], ids=str)
def test_70_contradictions(server, fields, message):
    assert message in refused(server, COMPLETIONS, {"prompt": "x", **fields})
    assert complete(server, "x", max_tokens=1, best_of=1, use_beam_search=False)["text"] is not None
