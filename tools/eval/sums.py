"""Arithmetic as lm_eval asks it: a task of generated questions, exact match on `#### N`."""
import json
import logging

import datasets
import items
import lm_eval
import lm_eval.tasks
import yaml

import service
from paths import OUT

ROW = "arithmetic (lm_eval)"
TASK = {
    "task": "arithmetic",
    "dataset_path": "json",
    "output_type": "generate_until",
    "test_split": "test",
    "num_fewshot": 0,
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    "generation_kwargs": {"until": ["Question:"], "do_sample": False, "temperature": 0.0,
                          "max_gen_toks": 64},
    "filter_list": [{"name": "number", "filter": [
        {"function": "regex", "regex_pattern": r"#### (-?\d+)"}, {"function": "take_first"}]}],
    "metadata": {"version": 1.0},
}


def write_task(count):
    """-> the folder with the task and its data."""
    folder = OUT / "lm_eval"
    folder.mkdir(exist_ok=True)
    data = folder / f"arithmetic-{count}.jsonl"
    data.write_text("".join(json.dumps({"question": q, "answer": str(n)}) + "\n"
                            for q, n in items.sums(count)))
    task = {**TASK, "dataset_kwargs": {"data_files": {"test": str(data)}}}
    (folder / "arithmetic.yaml").write_text(yaml.safe_dump(task))
    return folder


def measure(asked, report, count):
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    datasets.config.HF_DATASETS_CACHE = OUT / "lm_eval" / "datasets"
    manager = lm_eval.tasks.TaskManager(include_path=str(write_task(count)),
                                        include_defaults=False)
    args = {"model": service.NAME, "base_url": asked.server.v1 + "/completions",
            "max_retries": 1, "tokenizer_backend": None, "num_concurrent": service.AT_ONCE}
    results = lm_eval.simple_evaluate(model="local-completions", model_args=args,
                                      tasks=["arithmetic"], task_manager=manager, batch_size=1,
                                      bootstrap_iters=0)
    samples = results["samples"]["arithmetic"]
    assert len(samples) == count, f"{len(samples)} of {count} questions were asked"
    report.share(ROW, [
        (s["exact_match"], s["doc"]["question"], s["resps"][0][0], s["doc"]["answer"])
        for s in samples])
