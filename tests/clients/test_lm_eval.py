"""lm_eval, EleutherAI's harness, from 0.4.9's flags on: generation and log-likelihoods (checks 7,
22 and 44) on tasks of this folder, which are gsm8k's and arc_easy's with invented questions."""
import functools
import json

import pytest

from server import MODEL, ROOT
from wire import answer, complete, ids

TASKS = ROOT / "tests" / "clients" / "tasks"


@pytest.fixture(autouse=True)
def in_the_root(monkeypatch):
    """The tasks name their data from there; what the harness caches stays under build/."""
    monkeypatch.chdir(ROOT)


@functools.cache
def harness():
    import datasets
    import lm_eval
    import lm_eval.tasks
    datasets.config.HF_DATASETS_CACHE = ROOT / "build" / "clients" / "datasets"
    return lm_eval, lm_eval.tasks.TaskManager(include_path=str(TASKS),
                                                 include_defaults=False)


def evaluate(server, task, model="local-completions", chat=False, gen_kwargs=None, **model_args):
    lm_eval, manager = harness()
    args = {"model": MODEL, "base_url": f"{server.v1}/" + ("chat/completions" if "chat" in model
                                                           else "completions"),
            "max_retries": 1, **model_args}
    return lm_eval.simple_evaluate(model=model, model_args=args, tasks=[task], limit=20,
                                   task_manager=manager, apply_chat_template=chat,
                                   gen_kwargs=gen_kwargs, bootstrap_iters=0, batch_size=1
                                   if "batch_size" not in args else args.pop("batch_size"))


def replies(results, task):
    return [sample["resps"][0][0] for sample in results["samples"][task]]


# What the tutorial's line is, and how people change it.
GENERATING = {
    "the tutorial's line": {"tokenized_requests": False, "trust_remote_code": True},
    "no tokenizer": {"tokenizer_backend": None},
    "many at once": {"tokenizer_backend": None, "num_concurrent": 8},
    "lists of prompts": {"tokenized_requests": False, "batch_size": 4,
                         "tokenizer_backend": "huggingface"},
    "lists of ids": {"tokenized_requests": True, "tokenizer_backend": "huggingface",
                     "batch_size": 4},
}


@pytest.mark.needs_full_size_model("gsm8k itself, about 0.95")
@pytest.mark.parametrize("name", GENERATING)
def test_07_generation(server, name):
    results = evaluate(server, "sums", **GENERATING[name])
    assert len(replies(results, "sums")) == 8
    for sample in results["samples"]["sums"]:
        assert "Question:" not in sample["resps"][0][0]
    assert 0 <= results["results"]["sums"]["exact_match,strict-match"] <= 1


def test_07_what_it_reads_is_what_was_said(server):
    results = evaluate(server, "sums", tokenizer_backend=None)
    for sample in results["samples"]["sums"][:3]:
        prompt = sample["arguments"][0][0]
        reply = complete(server, prompt, max_tokens=32, temperature=0, seed=1234,
                         stop=["Question:", "</s>", "<|im_end|>"])
        assert sample["resps"][0][0] == reply["text"]


def sums_of_logprobs(server, sample):
    """Of each choice of a sample, computed from the prompt's own logprobs."""
    for argument in sample["arguments"]:
        context, rest = argument[:2]
        whole, begin = ids(context + rest), len(ids(context))
        entries = complete(server, whole, max_tokens=1, prompt_logprobs=0)["prompt_logprobs"]
        yield sum(entry[str(id)]["logprob"] for entry, id in zip(entries[begin:], whole[begin:]))


@pytest.mark.needs_full_size_model("arc_easy itself, above 0.7")
@pytest.mark.parametrize("args", [
    {"tokenizer_backend": "huggingface", "tokenized_requests": True},
    {"tokenizer_backend": "huggingface", "tokenized_requests": False},
    {"tokenizer_backend": "huggingface", "tokenized_requests": True, "num_concurrent": 4}], ids=str)
def test_22_log_likelihoods(server, args):
    results = evaluate(server, "choices", **args)
    assert 0 <= results["results"]["choices"]["acc,none"] <= 1
    for sample in results["samples"]["choices"]:
        told = [float(response[0][0]) for response in sample["resps"]]
        assert told == pytest.approx(list(sums_of_logprobs(server, sample)), abs=1e-4)


@pytest.mark.parametrize("backend", ["remote", "auto"])
def test_22_with_the_servers_tokenizer(detailed, backend):
    results = evaluate(detailed, "choices", tokenizer_backend=backend)
    for sample in results["samples"]["choices"][:2]:
        told = [float(response[0][0]) for response in sample["resps"]]
        assert told == pytest.approx(list(sums_of_logprobs(detailed, sample)), abs=1e-4)


@pytest.mark.needs_full_size_model("gsm8k itself, about 0.95")
@pytest.mark.parametrize("concurrent", [1, 8])
def test_44_chat(server, concurrent):
    results = evaluate(server, "sums", model="local-chat-completions", chat=True,
                       num_concurrent=concurrent)
    assert len(replies(results, "sums")) == 8


def test_44_chat_with_thinking(server):
    results = evaluate(server, "sums", model="local-chat-completions", chat=True, gen_kwargs={
        "max_gen_toks": 16, "chat_template_kwargs": {"thinking": True}})
    assert len(replies(results, "sums")) == 8


def test_07_the_tokenizer_of_the_server(server):
    told = answer(server, "/tokenize", {"prompt": "test", "add_special_tokens": False})
    assert json.dumps(told["tokens"]) == json.dumps(ids("test"))
