#!/usr/bin/env python3
"""The table of docs/eval.md: what a checkpoint can do, asked through the server.

    scripts/eval CHECKPOINT [--short] [--bars] [--stories N]
"""
import argparse
import pathlib
import sys
import time

import paths  # noqa: I001: first, others are found through it

import bars
import checkpoints
import narratives
import needles
import prompts
import speed
import sums
import thinking
import tool_calls
from report import Report
from service import Service
from size import FULL, SHORT


class Run:
    """The columns, one server after the other."""

    def __init__(self, checkpoint, size):
        self.checkpoint, self.size, self.report = checkpoint, size, Report()

    def part(self, name, measure, *more):
        begin = time.monotonic()
        measure(self.asked, self.report, *more)
        print(f"{self.report.columns[-1]}: {name}, {time.monotonic() - begin:.1f} s",
              file=sys.stderr, flush=True)

    def column(self, name, folder, measure, *more):
        self.report.begin(name)
        with Service(folder) as self.asked:
            measure(*more)

    def everything(self, folder, counts, stories=0):
        size = self.size
        self.part("prompts", prompts.measure, 8)
        self.part("speed", speed.measure)
        self.part("arithmetic", sums.measure, size.sums)
        self.part("needles", needles.measure, counts)
        self.part("tool calls", tool_calls.measure, size.tools)
        self.part("thinking", thinking.measure, size.chats)
        self.part("perplexity", narratives.measure_loss, size.narratives)
        self.part("acceptance", narratives.measure_acceptance, size.stories, folder)
        narratives.tell(self.asked, stories)

    def only_needles(self):
        self.part("needles", needles.measure, self.size.variants)

    def all_columns(self, stories):
        plain = checkpoints.is_bf16(self.checkpoint)
        self.column("bf16" if plain else "as it is", self.checkpoint, self.everything,
                    self.checkpoint, self.size.needles, stories)
        for form in ("fp8", "w8a8"):
            if why := checkpoints.why_not_quantized(self.checkpoint):
                print(f"column {form} is left out: {why}")
                continue
            folder = checkpoints.quantized(self.checkpoint, form)
            self.column(form, folder, self.everything, folder, self.size.variants)
        self.column("dense", checkpoints.dense(self.checkpoint), self.only_needles)
        if plain:
            self.column("random indexer", checkpoints.random_indexer(self.checkpoint),
                        self.only_needles)
        else:
            print(f"column random indexer is left out: {checkpoints.NOT_BF16}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--short", action="store_true", help="few items: minutes on two cores")
    parser.add_argument("--bars", action="store_true", help="exit code 1 where one is missed")
    parser.add_argument("--stories", type=int, default=0, metavar="N", help="shows so many")
    args = parser.parse_args()
    paths.OUT.mkdir(parents=True, exist_ok=True)
    run = Run(args.checkpoint.resolve(), SHORT if args.short else FULL)
    run.all_columns(args.stories)
    table, missed = f"{args.checkpoint}: {run.size}\n\n{run.report.markdown()}", False
    if args.bars:
        judged = bars.judge(run.report, run.size)
        table += "\n" + bars.markdown(judged)
        missed = not all(met for _, _, met in judged)
    (paths.OUT / "table.md").write_text(table)
    print(table)
    sys.exit(missed)


if __name__ == "__main__":
    main()
