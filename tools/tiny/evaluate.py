#!/usr/bin/env python3
"""Held-out items of every task, answered greedily: the table that ends a training call.

    python3 tools/tiny/evaluate.py PARTS TOKENIZER_FILE [--tasks N] [--stories N]
        [--needles LENGTH:ITEMS:KINDS,..]
"""

import argparse
import json
import time

from pathlib import Path

import torch

import items
import weights
from data import Encoder
from model import Config, Model
from runner import acceptance, generate
from tasks import lists, retrieval, toolcalls


class Evaluation:
    def __init__(self, model, tokenizer):
        self.model, self.encoder, self.samples = model, Encoder(tokenizer), []

    def ids(self, text):
        return self.encoder.tokenizer.encode(text, add_special_tokens=False).ids

    def answers(self, prompts, count, batch, selection="sparse"):
        out = []
        for i in range(0, len(prompts), batch):
            made = generate(self.model, [self.ids(p) for p in prompts[i : i + batch]], count,
                            selection=selection)
            out += [self.encoder.tokenizer.decode(m, skip_special_tokens=False) for m in made]
        return out

    def share(self, name, asked, right, count, batch=128, selection="sparse"):
        start = time.time()
        made = self.answers([i[0] for i in asked], count, batch, selection)
        good = [right(m, i[1]) for m, i in zip(made, asked)]
        bad = next((k for k, g in enumerate(good) if not g), None)
        if bad is not None:
            self.samples.append((name, asked[bad][0][-160:], made[bad], asked[bad][1]))
        print(f"{name:24s} {sum(good) / len(good):.3f}   of {len(good)}, "
              f"{time.time() - start:.1f} s", flush=True)

    def tasks(self, n=256, split="eval"):
        self.share(f"arithmetic {split}", items.sums(n, split),
                   lambda m, x: items.last_number(m) == x, 64)
        exact = lambda m, x: m.strip() == x.strip()
        self.share(f"lists {split}", items.drawn(lists.item, n, split), exact, 96)
        self.share(f"tool calls {split}", items.drawn(toolcalls.item, n, split),
                   lambda m, x: m + "<｜end▁of▁sentence｜>" == x, 200)

    def needles(self, n=64, lengths=(1024, 2048, 4096, 8192), kinds=("sparse", "dense", "random")):
        tokens = lambda text: len(self.ids(retrieval.prompt(text)))
        for length in lengths:
            made = [items.needle(i, length, tokens) for i in range(n)]
            asked = [(retrieval.prompt(text), value) for text, value in made]
            for kind in kinds:
                self.share(f"needle {length} {kind}", asked, lambda m, x: x in m, 24,
                           max(1, 32 * 2048 // length), kind)

    def narratives(self, n=128, count=160, shown=2):
        prompts = items.openings(n)
        ids = [self.ids(p) for p in prompts]
        made = generate(self.model, ids, count)
        full = [(p + m)[: 8 * ((len(p) + len(m)) // 8)] for p, m in zip(ids, made)]
        length = 128
        full = [f[:length] for f in full if len(f) >= length]
        rates = acceptance(self.model, full, max(len(p) for p in ids)) if full else []
        print("acceptance of drafts     " + " ".join(f"{r:.3f}" for r in rates), len(full))
        for p, m in list(zip(ids, made))[:shown]:
            print("STORY", self.encoder.tokenizer.decode(p + m))

    def perplexity(self, n=128):
        losses, count = 0.0, 0
        for text in items.narratives(n):
            ids = torch.tensor([self.ids(text)], device=self.model.lm_head.weight.device)
            with torch.no_grad():
                logits = self.model.lm_head(self.model.hidden(ids)[0]).float()
            losses += torch.nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:],
                                                        reduction="sum").item()
            count += ids.shape[1] - 1
        print(f"narrative loss per token {losses / count:.3f}", flush=True)

    def table(self, brief=False):
        self.model.eval()
        torch.compiler.set_stance("force_eager")  # every length would be compiled anew
        self.tasks(128 if brief else 256)
        self.tasks(64 if brief else 128, "train")
        self.perplexity(32)
        self.needles(32 if brief else 64, (1024, 2048, 4096, 8192),
                     ("sparse", "dense", "random"))
        self.narratives(64 if brief else 128, shown=10)
        for name, prompt, made, wanted in self.samples:
            print("MISS", name, repr(prompt), "->", repr(made[:300]), "wanted", repr(wanted))
        self.model.train()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts")
    parser.add_argument("tokenizer")
    parser.add_argument("--tasks", type=int, default=0)
    parser.add_argument("--stories", type=int, default=0)
    parser.add_argument("--needles", default="")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    model = Model(Config(**json.loads(Path(args.parts, "model.json").read_text())))
    weights.load(model, args.parts)
    evaluation = Evaluation(model.to(args.device).eval(), args.tokenizer)
    if args.tasks:
        evaluation.tasks(args.tasks)
    if args.stories:
        evaluation.narratives(args.stories, shown=10)
        evaluation.perplexity(args.stories)
    for spec in filter(None, args.needles.split(",")):
        length, items, kinds = spec.split(":")
        evaluation.needles(int(items), (int(length),), kinds.split("+"))
    for sample in evaluation.samples:
        print("MISS", *map(repr, sample))


if __name__ == "__main__":
    main()
