"""The benchmark clients: vLLM's (check 6), and what guidellm, sglang's, evalscope and aiperf send
that others do not (check 68)."""
import json
import subprocess
import sys
import threading
import time

import pytest

from server import MODEL, NAMES, ROOT
from wire import COMPLETIONS, answer, get, ids, metric, post, said, stream, stream_chat


def bench(server, folder, *more):
    """The saved figures of one run."""
    done = subprocess.run([
        sys.executable, ROOT / "tests/clients/vllm_bench.py", "--port", str(server.port), "--model",
        MODEL, "--dataset-name", "random", "--random-input", "200", "--random-output", "16",
        "--num-prompt", "40", "--request-rate", "20", "--save-result", "--result-dir", str(folder),
        "--ready-check-timeout-sec", "20", *more],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    (file,) = folder.glob("*.json")
    return json.loads(file.read_text())


@pytest.mark.parametrize("backend", ["openai", "openai-chat"])
def test_06_vllm_bench(server, tmp_path, backend):
    figures = bench(server, tmp_path, "--backend", backend)
    assert (figures["completed"], figures["failed"]) == (40, 0)
    assert figures["output_lens"] == [16] * 40
    assert figures["total_input_tokens"] == 40 * 200
    assert 0 < figures["median_ttft_ms"] < 60_000 and figures["median_itl_ms"] > 0


def test_06_without_a_model(server, tmp_path):
    figures = bench(server, tmp_path, "--tokenizer", MODEL, "--num-prompts", "3", "--model", "dsv3")
    assert figures["completed"] == 3


@pytest.mark.needs_speculation("that an acceptance rate is printed")
def test_06_a_server_asked_for_drafts_is_measured(mtp, tmp_path):
    figures = bench(mtp, tmp_path, "--num-prompts", "5")
    assert 0 <= figures.get("spec_decode_acceptance_rate", 0) <= 100


def test_06_the_tokenizers_agree(server):
    text = " ".join(["Lorem ipsum 123 dolor"] * 20)
    told = answer(server, "/tokenize", {"model": MODEL, "prompt": text,
                                        "add_special_tokens": False})
    assert told["tokens"] == ids(text)


GUIDELLM = {"stream": True, "model": NAMES[0],
            "stream_options": {"include_usage": True, "continuous_usage_stats": True}}


def test_68_guidellm(server):
    """Its backend's requests for 10 s from four threads; nothing may fail."""
    assert get(server, "/health").status_code == 200
    assert get(server, "/v1/models").json()["data"][0]["id"] == NAMES[0]
    end, failures, done = time.monotonic() + 10, [], []

    def user(kind):
        while time.monotonic() < end:
            try:
                if kind == 0:
                    reply = stream(server, prompt="The future of AI is", stop=None, ignore_eos=True,
                                   max_tokens=16, **GUIDELLM)
                    text = reply.text()
                else:
                    reply = stream_chat(server, said([{"type": "text", "text": "Hi"}]), stop=None,
                                        ignore_eos=True, max_completion_tokens=16, **GUIDELLM)
                    text = reply.joined("content")
                assert text and reply.usage["completion_tokens"] == 16
                assert all(chunk["usage"]["completion_tokens"] for chunk in reply.chunks[1:])
                done.append(kind)
            except Exception as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=user, args=(i % 2,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert {0, 1} == set(done)


def test_68_sglang_bench(server):
    assert get(server, "/server_info").status_code in (200, 404)
    reply = answer(server, COMPLETIONS, {"prompt": "x", "best_of": 1, "max_tokens": 4,
                                         "temperature": 0.0, "ignore_eos": True})
    assert reply["usage"]["completion_tokens"] == 4


def test_68_evalscope(server):
    reply = stream(server, prompt="x", min_tokens=9, max_tokens=9, ignore_eos=True,
                   stream_options={"include_usage": True})
    assert reply.usage["completion_tokens"] == 9
    assert stream(server, prompt=ids("The cat"), max_tokens=2, ignore_eos=True).text() is not None


def test_68_aiperf(server):
    before = metric(server, "generation_tokens_total")
    reply = post(server, COMPLETIONS, {"prompt": "x", "max_tokens": 3, "ignore_eos": True},
                 headers={"X-Request-ID": "1", "X-Correlation-ID": "2", "X-Session-Affinity": "3"})
    assert reply.json()["id"] == "cmpl-1"
    assert metric(server, "generation_tokens_total") == before + 3
