"""Acceptance checks of what is around the answers: readiness, metrics, clients that leave, keys,
keep-alive, long prompts, the end."""
import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time

import httpx
import pytest

from server import M, NAMES, Server
from wire import (CHAT, COMPLETIONS, answer, client, complete, eventually, forced, get, ids, metric,
                  metrics, post, request, said, stream, tokenizer)

SOAK_SECONDS = float(os.environ.get("FATHOM_SOAK_SECONDS", "15"))  # The check says 300.
SOON = 2  # Seconds; the check says 1, which two busy cores may miss.


def raw(method, path, body=b"", *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    if body:
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_reply(file):
    """One reply with a Content-Length: (status, body)."""
    status = int(file.readline().split()[1])
    headers = {}
    while (line := file.readline()) not in (b"\r\n", b""):
        key, _, value = line.decode().partition(":")
        headers[key.lower()] = value.strip()
    return status, file.read(int(headers.get("content-length", 0)))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_03_health(server):
    for path in ("/health", "/ping"):
        reply = get(server, path)
        assert reply.status_code == 200 and reply.content == b""
    assert request(server, "POST", "/ping").status_code == 200


def test_03_not_healthy_before_it_is_ready():
    port, seen = free_port(), []
    starting = Server(port=port)
    try:
        while not seen or seen[-1] != 200:
            assert starting.process.poll() is None and len(seen) < 20000, starting.said()[-300:]
            try:
                reply = httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False)
                seen.append(reply.status_code)
            except httpx.TransportError:
                seen.append("refused")
                time.sleep(0.002)
        assert set(seen[:-1]) <= {"refused", 503} and len(seen) > 1, set(seen)
        reply = httpx.post(f"http://127.0.0.1:{port}/v1/completions", trust_env=False,
                           json={"prompt": "x", "max_tokens": 1}, timeout=60)
        assert reply.status_code == 200, "healthy, and yet not able to answer"
    finally:
        starting.kill()


LONG = {"prompt": "The future of AI is", "max_tokens": 6000, "ignore_eos": True}


@pytest.mark.parametrize("streaming", [True, False])
def test_23_a_client_leaves(server, streaming):
    aborts = metric(server, "request_success_total", finished_reason="abort")
    base = metric(server, "kv_cache_usage_perc")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(raw("POST", COMPLETIONS,
                               json.dumps({**LONG, "stream": streaming}).encode()))
        if streaming:
            got = b""
            while got.count(b"data: ") < 3:
                got += connection.recv(4096)
        eventually(lambda: metric(server, "num_requests_running") == 1, 20, "running")
    eventually(lambda: metric(server, "num_requests_running") == 0, SOON, "stopped")
    eventually(lambda: metric(server, "request_success_total", finished_reason="abort") ==
               aborts + 1, SOON, "counted as aborted")
    assert metric(server, "kv_cache_usage_perc") <= base + 0.001


def test_24_many_streams_and_clients_that_leave(server):
    """256 at once, each left at a random place; nothing stays behind."""
    base = metric(server, "kv_cache_usage_perc")
    end, chance, failures = time.monotonic() + SOAK_SECONDS, random.Random(24), []

    async def one():
        while time.monotonic() < end:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            body = {"prompt": "x" * chance.randrange(1, 400), "stream": True, "ignore_eos": True,
                    "max_tokens": chance.randrange(1, 40)}
            writer.write(raw("POST", COMPLETIONS, json.dumps(body).encode(), "Connection: close"))
            leave, got = chance.choice([0, 1, 3, 10, 100]), b""
            while got.count(b"data: ") < leave and time.monotonic() < end + 60:
                part = await reader.read(65536)
                if not part:
                    if not got.rstrip(b"\r\n0").endswith(b"data: [DONE]"):
                        failures.append(got[-200:])
                    break
                got += part
            writer.close()

    async def everyone():
        await asyncio.gather(*(one() for _ in range(256)))

    asyncio.run(everyone())
    assert not failures, failures[:3]
    for name in ("num_requests_running", "num_requests_waiting"):
        eventually(lambda: metric(server, name) == 0, 8, name)
    assert metric(server, "kv_cache_usage_perc") <= base + 0.001
    assert complete(server, "x", max_tokens=1)


COUNTERS = """prefix_cache_queries prefix_cache_hits num_preemptions prompt_tokens
generation_tokens""".split()
GAUGES = "num_requests_running num_requests_waiting kv_cache_usage_perc cache_config_info".split()
HISTOGRAMS = """request_prompt_tokens request_generation_tokens request_max_num_generation_tokens
request_params_max_tokens request_params_n iteration_tokens_total time_to_first_token_seconds
inter_token_latency_seconds request_time_per_output_token_seconds e2e_request_latency_seconds
request_queue_time_seconds request_inference_time_seconds request_prefill_time_seconds
request_decode_time_seconds""".split()


def test_55_every_name_from_the_start():
    with Server() as fresh:
        reply = get(fresh, "/metrics")
        assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        samples = metrics(fresh)
        names = {name for name, _ in samples}
        wanted = {f"vllm:{name}_total" for name in COUNTERS} | {f"vllm:{name}" for name in GAUGES} \
            | {f"vllm:{name}_{part}" for name in HISTOGRAMS
               for part in ("bucket", "sum", "count")} \
            | {"vllm:request_success_total"}
        assert not wanted - names, f"missing: {sorted(wanted - names)}"
        for reason in ("stop", "length", "abort", "error"):
            assert samples["vllm:request_success_total", (("finished_reason", reason),)] == 0
        for line in reply.text.splitlines():
            if line.startswith("vllm:"):
                assert 'engine="0"' in line and f'model_name="{NAMES[0]}"' in line, line
        assert "# TYPE vllm:prompt_tokens_total counter" in reply.text
        assert request(fresh, "HEAD", "/metrics").status_code == 200
        assert get(fresh, "/metrics/").status_code == 200
        if promtool := shutil.which("promtool"):
            checked = subprocess.run([promtool, "check", "metrics"], input=reply.text, text=True,
                                     capture_output=True, check=False)
            assert checked.returncode == 0, checked.stdout + checked.stderr


def test_55_a_request_moves_them(server):
    before = metrics(server)
    complete(server, "The future of AI is", max_tokens=7, ignore_eos=True)
    after = metrics(server)

    def moved(name, **labels):
        key = (f"vllm:{name}", tuple(sorted(labels.items())))
        return after[key] - before[key]

    assert moved("prompt_tokens_total") == len(ids("The future of AI is"))
    assert moved("generation_tokens_total") == 7
    assert moved("request_success_total", finished_reason="length") == 1
    for name in ("time_to_first_token_seconds", "e2e_request_latency_seconds",
                 "request_queue_time_seconds", "request_generation_tokens"):
        assert moved(f"{name}_count") == 1, name
    assert moved("inter_token_latency_seconds_count") == 6
    assert moved("request_prompt_tokens_sum") == len(ids("The future of AI is"))


@pytest.mark.needs_speculation("that the counters rise")
def test_55_counters_of_drafts_are_there(mtp):
    drafts = metric(mtp, "spec_decode_num_drafts_total")
    complete(mtp, "The future of AI is", max_tokens=30, ignore_eos=True)
    assert metric(mtp, "spec_decode_num_drafts_total") >= drafts
    assert metric(mtp, "spec_decode_num_draft_tokens_total") >= 0


def test_56_the_prefix_cache(detailed):
    prompt = [300 + i * i % 190 for i in range(4000)]
    hits = metric(detailed, "prefix_cache_hits_total")
    first, second = (complete(detailed, prompt, max_tokens=8, temperature=0) for _ in range(2))
    assert metric(detailed, "prefix_cache_hits_total") - hits >= 3900
    assert (first["usage"]["prompt_tokens_details"] or {}).get("cached_tokens", 0) == 0
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] >= 3900
    assert first["text"] == second["text"]
    salted = complete(detailed, prompt, max_tokens=8, temperature=0, cache_salt="another")
    assert (salted["usage"]["prompt_tokens_details"] or {}).get("cached_tokens", 0) == 0


def test_57_request_ids(server, detailed):
    for path, body, start in ((COMPLETIONS, {"prompt": "x", "max_tokens": 1}, "cmpl-"),
                              (CHAT, {"messages": said("x"), "max_tokens": 1}, "chatcmpl-")):
        reply = post(server, path, body, headers={"X-Request-Id": "abc"})
        assert reply.json()["id"] == start + "abc" and "x-request-id" not in reply.headers
        assert answer(server, path, {**body, "request_id": "def"})["id"] == start + "def"
        assert answer(server, path, body)["id"] != answer(server, path, body)["id"]
        reply = post(detailed, path, body, headers={"X-Request-Id": "abc"})
        assert reply.headers["x-request-id"] == "abc"


def test_58_keys(guarded):
    def status(method, path, **headers):
        return client().request(method, guarded.url + path, headers=headers,
                                json={"prompt": "x", "max_tokens": 1} if method == "POST" else None)

    for wrong in ({}, {"Authorization": "Bearer nope"}, {"Authorization": "key-1"},
                  {"Authorization": "Bearer key-1x"}, {"Authorization": "Bearer"}):
        for method, path in (("GET", "/v1/models"), ("POST", COMPLETIONS)):
            reply = status(method, path, **wrong)
            assert reply.status_code == 401 and reply.json() == {"error": "Unauthorized"}, wrong
    for key in ("key-1", "key-2"):
        assert status("POST", COMPLETIONS, Authorization=f"Bearer {key}").status_code == 200
    assert status("GET", "/health").status_code == status("GET", "/metrics").status_code == 200
    assert status("OPTIONS", "/v1/models").status_code == 200
    assert "key-1" not in guarded.said() and "key-2" not in guarded.said()


def test_58_without_a_key_any_is_ignored(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        file = connection.makefile("rb")
        for header in ("Bearer None", "Bearer ", "Bearer", "Bearer EMPTY"):
            connection.sendall(raw("POST", COMPLETIONS, b'{"prompt":"x","max_tokens":1}',
                                   f"Authorization: {header}"))
            assert read_reply(file)[0] == 200, header


def test_58_tls(tls, certificate):
    with httpx.Client(verify=certificate["ca"], trust_env=False) as secure:
        reply = secure.post(tls.url + COMPLETIONS, json={"prompt": "x", "max_tokens": 2})
        assert reply.status_code == 200, reply.text
        with secure.stream("POST", tls.url + COMPLETIONS, json={
                "prompt": "x", "max_tokens": 2, "stream": True}) as events:
            assert events.read().endswith(b"data: [DONE]\n\n")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{tls.port}/health", trust_env=False)


@pytest.mark.needs_speculation("that there are drafts, and that most are accepted")
def test_59_drafts_change_nothing(server, mtp):
    for prompt in ("The future of AI is", "One, two, three,", "def f(x):"):
        body = {"max_tokens": 80, "temperature": 0}
        without, ahead = (complete(at, prompt, **body) for at in (server, mtp))
        assert ahead["text"] == without["text"]
        assert ahead["usage"] == without["usage"]
        assert ahead["finish_reason"] == without["finish_reason"]
        middle = len(without["text"]) // 2
        stop = without["text"][middle:middle + 3]
        without, ahead = (complete(at, prompt, stop=[stop], **body) for at in (server, mtp))
        assert (ahead["text"], ahead["usage"]) == (without["text"], without["usage"])
    assert complete(mtp, "x", max_tokens=50, **forced("Hi!"))["text"] == "Hi!"


def test_60_continue(server):
    body = b'{"prompt":"x","max_tokens":1}'
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        head, _, _ = raw("POST", COMPLETIONS, body, "Expect: 100-continue").partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        file = connection.makefile("rb")
        assert file.readline().startswith(b"HTTP/1.1 100") and file.readline() == b"\r\n"
        connection.sendall(body)
        assert read_reply(file)[0] == 200


def test_60_a_body_in_chunks(server):
    def parts():
        for byte in b'{"prompt":"x","max_tokens":1}':
            yield bytes([byte])

    reply = request(server, "POST", COMPLETIONS, content=parts(),
                    headers={"Content-Type": "application/json"})
    assert reply.status_code == 200, reply.text


def test_60_a_thousand_requests_on_one_connection(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        file = connection.makefile("rb")
        for i in range(1000):
            body = b"" if i % 50 else b'{"prompt":"x","max_tokens":1}'
            connection.sendall(raw("POST" if body else "GET", COMPLETIONS if body else "/v1/models",
                                   body))
            assert read_reply(file)[0] == 200, i
        connection.sendall(raw("POST", COMPLETIONS, b"{"))
        assert read_reply(file)[0] == 400
        connection.sendall(b"".join(raw("GET", f"/none/{i}") for i in range(4)) +
                           raw("GET", "/version"))
        assert [read_reply(file)[0] for _ in range(5)] == [404] * 4 + [200]


def test_61_a_megabyte_of_prompt(server):
    text = "The quick brown fox jumps over the lazy dog. " * 23000
    body = {"truncate_prompt_tokens": 500, "max_tokens": 2, "ignore_eos": True}
    reply = complete(server, text, **body)
    assert reply["usage"]["prompt_tokens"] == 500
    reply = complete(server, [300] * 200_000, **body)
    assert reply["usage"]["prompt_tokens"] == 500


@pytest.mark.needs_full_size_model("64k tokens, which two cores compute for minutes")
def test_61_a_long_prompt_stalls_nobody():
    with Server("--max-num-batched-tokens", "256", "--no-enable-prefix-caching") as slow:
        prompt = [300 + i * i % 190 for i in range(6000)]
        other, done = [], threading.Event()

        def decode():
            while not done.is_set():
                other.append(stream(slow, prompt="x", max_tokens=64, ignore_eos=True).times)

        thread = threading.Thread(target=decode)
        thread.start()
        eventually(lambda: other, 60, "another stream runs")
        begin = time.monotonic()
        streamed = stream(slow, prompt=prompt, max_tokens=2, ignore_eos=True)
        first = streamed.times[0] - begin
        done.set()
        thread.join()
        gaps = [b - a for times in other for a, b in zip(times, times[1:])
                if begin < b < begin + first]
        assert len(gaps) > 20, f"{len(gaps)} tokens beside a prompt of {first:.1f} s"
        # 24 steps of 256 tokens; the last ones take longer than the first.
        assert max(gaps) < first / 6, f"a gap of {max(gaps):.2f} s beside a prompt of {first:.1f} s"


def begin_stream(server, **more):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.sendall(raw("POST", COMPLETIONS, json.dumps({**LONG, "stream": True,
                                                            **more}).encode()))
    got = b""
    while b"data: " not in got:
        got += connection.recv(4096)
    return connection


def rest_of(connection):
    got = b""
    while not got.endswith(b"0\r\n\r\n"):
        try:
            part = connection.recv(65536)
        except ConnectionError:
            break
        if not part:
            break
        got += part
    connection.close()
    return got


def test_62_the_engine_ends_mid_stream():
    with Server("--shutdown-timeout", "0") as server:
        connection = begin_stream(server)
        server.signal(signal.SIGTERM)
        got = rest_of(connection)
        assert b'"finish_reason":"abort"' in got or b'"error"' in got, got[-300:]
        assert got.rstrip().endswith(b"0") and b"data: [DONE]\n\n" in got


def test_62_the_program_dies_mid_stream():
    with pytest.raises(AssertionError, match="exit code after SIGTERM: -9"), Server() as server:
        connection = begin_stream(server)
        server.signal(signal.SIGKILL)
        assert b"[DONE]" not in rest_of(connection)
        server.exit_code()


def test_63_sigterm():
    with Server() as server:
        connection = begin_stream(server, max_tokens=200)
        server.signal(signal.SIGTERM)

        def refuses():
            try:
                return post(server, COMPLETIONS, {"prompt": "x"}).status_code == 503
            except httpx.TransportError:
                return True

        eventually(refuses, 10, "no more is accepted")
        got = rest_of(connection)
        assert b'"finish_reason":"length"' in got and b"data: [DONE]\n\n" in got
        assert server.exit_code() == 0


def random_text(chance):
    kinds = [(0x20, 0x7e), (0xa1, 0x24f), (0x370, 0x52f), (0x600, 0x6ff), (0xe00, 0xe7f),
             (0x3040, 0x30ff), (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0x1f300, 0x1faff), (0x9, 0xd),
             (0x1d400, 0x1d7ff), (0x2000, 0x206f)]
    return "".join(chr(chance.randint(*chance.choice(kinds))) for _ in range(chance.randrange(40)))


def test_64_tokenize_and_back(server):
    chance = random.Random(64)
    for _ in range(1000):
        text = random_text(chance)
        told = answer(server, "/tokenize", {"prompt": text, "add_special_tokens": False})
        assert told["tokens"] == ids(text), text
        assert told["count"] == len(told["tokens"]) and told["max_model_len"] == M
        assert answer(server, "/detokenize", {"tokens": told["tokens"]})["prompt"] == text
    told = answer(server, "/tokenize", {"prompt": "The cat", "return_token_strs": True,
                                        "model": NAMES[-1]})
    assert told["token_strs"] == tokenizer().encode("The cat").tokens


def test_64_tokenizer_info(server, detailed):
    assert get(server, "/tokenizer_info").status_code == 404
    info = get(detailed, "/tokenizer_info").json()
    for name in ("eos_token", "bos_token", "pad_token"):
        assert isinstance(info[name], str)


def test_60_a_connection_idle_for_60_s(idle):
    connection, begin = idle
    time.sleep(max(0, begin + 60 - time.monotonic()))
    connection.settimeout(10)
    connection.sendall(raw("GET", "/health"))
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")


