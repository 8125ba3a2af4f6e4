"""Plain HTTP to a server: bodies as they are on the wire, and what §1 to §3 of the API say of every
answer, checked for each one that a test reads."""
import functools
import json
import time

import httpx
import tokenizers
from prometheus_client.parser import text_string_to_metric_families

from server import MODEL, ROOT

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"
TIMEOUT = 120


def request(server, method, path, **more):
    headers = more.pop("headers", {})
    if server.api_key:
        headers = {"Authorization": f"Bearer {server.api_key}", **headers}
    return client().request(method, server.url + path, headers=headers, **more)


@functools.cache
def client():
    return httpx.Client(timeout=TIMEOUT, limits=httpx.Limits(max_connections=None), trust_env=False)


def get(server, path, **more):
    return request(server, "GET", path, **more)


def post(server, path, body, **more):
    return request(server, "POST", path, json=body, **more)


def answer(server, path, body, **more):
    """The JSON of a 200."""
    reply = post(server, path, body, **more)
    assert reply.status_code == 200, f"{path} {json.dumps(body)[:400]} -> {reply.status_code} " \
                                     f"{reply.text[:400]}"
    return reply.json()


def complete(server, prompt, **body):
    """One choice of /v1/completions, its usage beside it."""
    reply = answer(server, COMPLETIONS, {"prompt": prompt, **body})
    assert reply["object"] == "text_completion" and reply["id"].startswith("cmpl-"), reply
    assert [choice["index"] for choice in reply["choices"]] == [0], reply
    return {**reply["choices"][0], "usage": checked_usage(reply["usage"])}


def said(text):
    """A user's message."""
    return [{"role": "user", "content": text}]


def chat(server, messages, **body):
    """One choice of /v1/chat/completions, its usage beside it."""
    if isinstance(messages, str):
        messages = said(messages)
    reply = answer(server, CHAT, {"messages": messages, **body})
    assert reply["object"] == "chat.completion" and reply["id"].startswith("chatcmpl-"), reply
    assert [choice["index"] for choice in reply["choices"]] == [0], reply
    message = reply["choices"][0]["message"]
    assert message["role"] == "assistant" and "content" in message, reply
    assert message.get("reasoning") == message.get("reasoning_content"), reply
    return {**reply["choices"][0], "usage": checked_usage(reply["usage"])}


def checked_usage(usage):
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"], usage
    return usage


def refused(server, path, body, status=400, **more):
    """The message of an error, whose shape is §1.2's; the server must be well after it."""
    reply = post(server, path, body, **more) if not isinstance(body, bytes) else \
        request(server, "POST", path, content=body, **more)
    told = f"{json.dumps(body)[:300] if not isinstance(body, bytes) else body[:300]} -> " \
           f"{reply.status_code} {reply.text[:400]}"
    assert reply.status_code == status, told
    assert reply.headers["content-type"] == "application/json", told
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}, told
    assert error["code"] == status and error["message"] and error["type"], told
    assert get(server, "/health").status_code == 200
    return error["message"]


class Stream:
    """The events of a reply, read to its end and checked against §2.7.

    chunks   each event's JSON but the last, "[DONE]"
    usage    of the chunk without choices, None if there was none
    """

    def __init__(self, server, path, body, headers=None):
        body = {**body, "stream": True}
        self.chunks, self.usage, self.times = [], None, []
        url, sent = server.url + path, {**(headers or {})}
        if server.api_key:
            sent["Authorization"] = f"Bearer {server.api_key}"
        with client().stream("POST", url, json=body, headers=sent) as reply:
            if reply.status_code != 200:
                reply.read()
                raise AssertionError(f"{path} {json.dumps(body)[:400]} -> {reply.status_code} "
                                     f"{reply.text[:400]}")
            assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
            raw = b""
            for part in reply.iter_raw():
                self.times += [time.monotonic()] * part.count(b"\n\n")
                raw += part
        *events, rest = raw.decode("utf-8").split("\n\n")
        assert rest == "" and events and events[-1] == "data: [DONE]", f"...{raw[-300:]}"
        for event in events[:-1]:
            assert event.startswith("data: ") and "\n" not in event, event
            self.chunks.append(json.loads(event[6:]))
        for chunk in self.chunks:
            assert "error" not in chunk, chunk
            assert {chunk["id"], chunk["model"]} == {self.chunks[0]["id"], self.chunks[0]["model"]}
        bare = [i for i, chunk in enumerate(self.chunks) if not chunk["choices"]]
        assert bare in ([], [len(self.chunks) - 1]), f"chunks without choices at {bare}"
        if bare:
            self.usage = checked_usage(self.chunks[-1]["usage"])

    def choices(self, index=0):
        return [choice for chunk in self.chunks for choice in chunk["choices"]
                if choice["index"] == index]

    def finish(self, index=0):
        """The last choice chunk; the only one with a finish_reason."""
        reasons = [choice["finish_reason"] for choice in self.choices(index)]
        assert all(reason is None for reason in reasons[:-1]) and reasons[-1], reasons
        return self.choices(index)[-1]

    def texts(self, index=0):
        return [choice["text"] for choice in self.choices(index)]

    def text(self, index=0):
        return "".join(self.texts(index))

    def deltas(self, key, index=0):
        return [choice["delta"][key] for choice in self.choices(index)
                if choice["delta"].get(key) is not None]

    def joined(self, key, index=0):
        return "".join(self.deltas(key, index)) or None

    def calls(self, index=0):
        """The tool calls, put together as clients do; §3.4's rules of order checked."""
        calls = []
        for fragment in [one for some in self.deltas("tool_calls", index) for one in some]:
            if fragment["index"] == len(calls):
                assert fragment["id"] and fragment["type"] == "function", fragment
                assert isinstance(fragment["function"]["arguments"], str), fragment
                calls.append({"id": fragment["id"], "type": "function", "function": {
                    "name": fragment["function"]["name"], "arguments": ""}})
            else:
                assert fragment["index"] == len(calls) - 1, fragment
                assert not {"id", "type"} & set(fragment), fragment
                assert "name" not in fragment["function"], fragment
            calls[-1]["function"]["arguments"] += fragment["function"]["arguments"]
        return calls


def stream(server, path=COMPLETIONS, **body):
    return Stream(server, path, body)


def stream_chat(server, messages, **body):
    messages = said(messages) if isinstance(messages, str) else messages
    reply = Stream(server, CHAT, {"messages": messages, **body})
    for index in {choice["index"] for chunk in reply.chunks for choice in chunk["choices"]}:
        first = reply.choices(index)[0]["delta"]
        assert first["role"] == "assistant" and first["content"] == "", first
        assert len(reply.deltas("role", index)) == 1, "the role comes once"
        assert reply.deltas("reasoning", index) == [
            text for text in reply.deltas("reasoning_content", index)]
    return reply


# The tokenizer that the checkpoint's file describes, read by somebody else.
@functools.cache
def tokenizer():
    return tokenizers.Tokenizer.from_file(str(ROOT / MODEL / "tokenizer.json"))


def ids(text):
    return tokenizer().encode(text, add_special_tokens=False).ids


def token(content):
    """The id of a token by its text, which differs from checkpoint to checkpoint."""
    found = tokenizer().token_to_id(content)
    assert found is not None, content
    return found


def vocabulary():
    return json.loads((ROOT / MODEL / "config.json").read_text())["vocab_size"]


def forced(*texts):
    """What makes any model reply with one of these, whatever its weights are."""
    return {"structured_outputs": {"choice": list(texts)}}


def metrics(server):
    """Every sample of /metrics: {(name, labels without the model's): value}."""
    reply = get(server, "/metrics")
    assert reply.status_code == 200, f"/metrics -> {reply.status_code} {reply.text[:200]}"
    return {(sample.name, tuple(sorted((key, value) for key, value in sample.labels.items()
                                       if key not in ("model_name", "engine")))): sample.value
            for family in text_string_to_metric_families(reply.text) for sample in family.samples}


def metric(server, name, **labels):
    values = metrics(server)
    key = (f"vllm:{name}", tuple(sorted(labels.items())))
    assert key in values, f"no {key} in /metrics"
    return values[key]


def eventually(condition, seconds, what):
    """Waits until the condition holds; returns the seconds it took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - begin
