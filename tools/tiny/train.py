#!/usr/bin/env python3
"""Trains the model in stages that are given by their length in seconds; README.md has the command.

Stages: dense (short rows), long (short and 8k rows in turn), index (the indexer alone, by KL
against the attention of a frozen model), sparse (top-k selection, everything trained).
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import weights
from data import EXTRA, Stream
from evaluate import Evaluation
from model import Config, Model
from optimizer import Muon

SHORT, LONG = 1024, 8192


def head_loss(hidden, head, targets, weight):
    """Weighted mean cross entropy; hidden [B, T, D]."""
    logits = F.linear(hidden, head).float().flatten(0, 1)
    loss = F.cross_entropy(logits, targets.flatten(), reduction="none")
    return (loss * weight.flatten()).sum() / weight.sum()


class Trainer:
    def __init__(self, args):
        self.args, self.device = args, torch.device(args.device)
        self.streams = {}
        for length in (SHORT, LONG):
            self.stream(length)  # the workers fork before CUDA and the compiler have threads
        torch.manual_seed(args.seed)
        overrides = json.loads(args.config)
        self.model = Model(Config(**overrides)).to(self.device)
        if args.resume:
            weights.load(self.model, args.resume)
        self.loss = head_loss
        if args.compile:
            for block in [*self.model.layers, self.model.mtp]:
                block.compile(dynamic=False)
            self.loss = torch.compile(head_loss, dynamic=False)
        self.set_optimizers()

    def set_optimizers(self):
        groups = {"muon": [], "adam": [], "index": []}
        for name, p in self.model.named_parameters():
            matrix = p.dim() >= 2 and not any(s in name for s in ("embed", "lm_head", ".gate."))
            groups["index" if "indexer" in name else "muon" if matrix else "adam"].append(p)
        self.muon = Muon(groups["muon"])
        fused = self.device.type == "cuda"
        self.adam = torch.optim.Adam(groups["adam"], betas=(0.9, 0.95), fused=fused)
        self.index = torch.optim.Adam(groups["index"], betas=(0.9, 0.95), fused=fused)

    def stream(self, length):
        if length not in self.streams:
            a = self.args
            share = 0.6 if length == LONG else 0.0
            rows = max(1, a.tokens // length)
            seed = a.seed * 10 + (length == LONG)
            self.streams[length] = Stream(a.tokenizer, seed, rows, length, share, a.workers)
        return self.streams[length]

    def batch(self, length, share=1.0):
        ids, weight = self.stream(length).batch()
        n = max(1, int(len(ids) * share))
        move = lambda x, kind: torch.from_numpy(x[:n].astype(kind)).to(self.device)
        return move(ids, "int64"), move(weight, "float32") / 100

    def losses(self, ids, weight, mode, rows):
        """-> main loss, first and second draft's losses, KL of all indexers."""
        size, head = ids.shape[1] - EXTRA, self.model.lm_head.weight
        cut = lambda x, n: x[:, n : n + size]
        hidden, kl = self.model.hidden(cut(ids, 0), mode, rows)
        main = self.loss(hidden, head, cut(ids, 1), cut(weight, 1))
        out, state, more = self.model.draft(cut(ids, 1), hidden, mode, rows)
        first = self.loss(out, head, cut(ids, 2), cut(weight, 2))
        moved = torch.cat((state[:, :1], state[:, :-1]), 1)
        out, _, _ = self.model.draft(cut(ids, 1), moved, "dense", None)
        second = self.loss(out, head, cut(ids, 2), cut(weight, 2))
        return main, first, second, kl + more

    def step(self, stage, n, lr):
        every = {"dense": 1 << 40, "sparse": 3}.get(stage, 2)
        length = LONG if n % every == every - 1 else SHORT
        mode = "sparse" if stage == "sparse" else "dense"
        rows = None
        if stage in ("index", "sparse"):
            rows = torch.randint(length, (128,), device=self.device).sort().values
        ids, weight = self.batch(length, 0.5 if rows is not None else 1.0)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=not self.args.float32):
            main, first, second, kl = self.losses(ids, weight, mode, rows)
        if stage == "index":
            kl.backward()
        else:
            (main + 0.3 * first + 0.15 * second + kl).backward()
        self.update(stage, lr)
        return torch.stack([main, first, second, torch.as_tensor(kl, device=self.device)]).detach()

    def update(self, stage, lr):
        if stage != "index":
            self.muon.step(lr)
            torch.nn.utils.clip_grad_norm_(self.adam.param_groups[0]["params"], 1.0)
            self.adam.param_groups[0]["lr"] = lr
            self.adam.step()
            for moe in self.model.moes():
                moe.balance(0.002 if stage != "sparse" else 0.0005)
        if stage in ("index", "sparse"):
            self.index.param_groups[0]["lr"] = 2e-3 if stage == "index" else lr
            self.index.step()
        for p in self.model.parameters():
            p.grad = None

    def stage(self, name, seconds, lr0, lr1):
        """lr falls linearly from lr0 to lr1; the first 40 steps warm up."""
        for p in self.model.parameters():
            p.requires_grad_(True)
        if name == "index":
            for key, p in self.model.named_parameters():
                p.requires_grad_("indexer" in key)
        eager = name == "index"  # short, so that compiling it does not pay
        torch.compiler.set_stance("force_eager" if eager else "default")
        start, n, sums = time.time(), 0, 0
        while True:
            done = (time.time() - start) / seconds
            if done >= 1:
                break
            lr = (lr0 + (lr1 - lr0) * max(done, 0.0)) * min(1.0, (n + 1) / 40)
            sums = sums + self.step(name, n, lr)
            n += 1
            if n % self.args.log == 0 or n == 2:
                k = self.args.log if n > 2 else 2
                values = (sums / k).tolist()
                used = sum(s.reused for s in self.streams.values())
                print(f"{name} {n} {time.time() - start:.0f} s lr {lr:.1e} loss "
                      + " ".join(f"{v:.4f}" for v in values) + f" reused {used}", flush=True)
                sums = 0
                if not math.isfinite(values[0]):
                    raise SystemExit("the loss is not finite")
        if self.device.type == "cuda":
            print(f"{name}: {n} steps, {time.time() - start:.0f} s, peak "
                  f"{torch.cuda.max_memory_allocated() / 2**30:.0f} GiB", flush=True)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--resume", default="")
    parser.add_argument("--stages", required=True, help="name:seconds:lr0:lr1,..")
    parser.add_argument("--config", default="{}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=131072, help="of one step")
    parser.add_argument("--workers", type=int, default=6, help="for each of the two lengths")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--float32", action="store_true")
    parser.add_argument("--log", type=int, default=100)
    parser.add_argument("--evaluate", default="brief", choices=["none", "brief", "full"])
    return parser.parse_args()


def main():
    args = arguments()
    for file in [args.tokenizer] + [f"{args.resume}/model.json"] * bool(args.resume):
        if not Path(file).is_file():
            raise SystemExit(f"{file} is missing")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch._dynamo.config.recompile_limit = 64
    trainer = Trainer(args)
    print("parameters", sum(p.numel() for p in trainer.model.parameters()), flush=True)
    for spec in args.stages.split(","):
        name, *numbers = spec.split(":")
        trainer.stage(name, *map(float, numbers))
        Path(args.out).mkdir(parents=True, exist_ok=True)
        weights.save(trainer.model, args.out)
    for stream in trainer.streams.values():
        stream.stop()
    if args.evaluate != "none":
        Evaluation(trainer.model, args.tokenizer).table(args.evaluate == "brief")


if __name__ == "__main__":
    main()
