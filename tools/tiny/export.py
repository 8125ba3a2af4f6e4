#!/usr/bin/env python3
"""Training parts -> a checkpoint folder in Hugging Face's layout, checked against the oracle.

    python3 tools/tiny/export.py PARTS TOKENIZER_FOLDER OUT [--tokens 300]
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import torch

import weights
from model import Config, Model

sys.path.insert(0, str(Path(__file__).parent.parent / "reference"))


def check(model, folder, tokens):
    """Distance of logits and draft logits from oracle.py: the 90 % quantile over positions of the
    relative norm of the difference; the rest may choose another expert or index in float32."""
    import oracle
    ids = torch.randint(3, model.c.vocab_size - 20, (tokens,), generator=torch.manual_seed(1))
    other = oracle.Model(str(folder), oracle.PLAIN)
    cache = other.new_cache()
    hidden = other.hidden(ids.tolist(), cache)
    wanted = hidden @ other.t("lm_head.weight").T
    wanted_draft, _ = other.mtp(ids[1:].tolist(), hidden[:-1], list(range(tokens - 1)), cache)
    with torch.no_grad():
        made = model.hidden(ids[None], "sparse")[0]
        draft = model.draft(ids[None, 1:], made[:, :-1], "sparse")[0]
        logits, draft_logits = model.lm_head(made)[0], model.lm_head(draft)[0]
    return [((a - b).norm(dim=-1) / b.norm(dim=-1)).quantile(0.9).item()
            for a, b in ((logits, wanted), (draft_logits, wanted_draft))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("parts")
    parser.add_argument("tokenizer")
    parser.add_argument("out")
    parser.add_argument("--tokens", type=int, default=300)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = Config(**json.loads(Path(args.parts, "model.json").read_text()))
    model = Model(config).eval()
    weights.load(model, args.parts)
    print("bytes of weights", weights.export(model, args.out))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(Path(args.tokenizer, name), args.out)
    worst = check(model, args.out, args.tokens)
    print("logits, draft logits against the oracle:", *(f"{w:.1e}" for w in worst))
    assert max(worst) < 1e-5


if __name__ == "__main__":
    main()
