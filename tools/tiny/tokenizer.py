#!/usr/bin/env python3
"""Trains the byte-level BPE: DeepSeek's three Split rules, its special tokens, digits single.

    python3 tools/tiny/tokenizer.py FOLDER      writes tokenizer.json and tokenizer_config.json
"""

import json
import random
import sys
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

sys.path.insert(0, str(Path(__file__).parent))
import data  # noqa: E402

SIZE = 2560
FIRST = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"]
LAST = {  # content -> special flag, as in V3.2's file and in its order
    "｜DSML｜": True, "<｜search▁begin｜>": False, "<｜search▁end｜>": False, "<think>": False,
    "</think>": False, "<｜fim▁hole｜>": False, "<｜fim▁begin｜>": False, "<｜fim▁end｜>": False,
    "<｜User｜>": False, "<｜Assistant｜>": False, "<|EOT|>": True,
    "<｜tool▁calls▁begin｜>": False, "<｜tool▁calls▁end｜>": False,
    "<｜tool▁call▁begin｜>": False, "<｜tool▁call▁end｜>": False,
    "<｜tool▁outputs▁begin｜>": False, "<｜tool▁outputs▁end｜>": False,
    "<｜tool▁output▁begin｜>": False, "<｜tool▁output▁end｜>": False, "<｜tool▁sep｜>": False,
}
NUMBERS, CJK = r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+"
WORDS = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^""" + "\r\n"
         + r"""\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[""" + "\r\n" + r"""]*|\s*["""
         + "\r\n" + r"""]+|\s+(?!\S)|\s+""")


def pre_tokenizer(numbers):
    rules = [pre_tokenizers.Split(Regex(r), "isolated") for r in (numbers, CJK, WORDS)]
    return pre_tokenizers.Sequence(
        rules + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def corpus(documents=30000, seed=7):
    """Text between special tokens of documents of all tasks."""
    rng = random.Random(seed)
    for _ in range(documents):
        text = "".join(t for t, _ in data.document(rng, "train"))
        for mark in FIRST + list(LAST):
            text = text.replace(mark, "\0")
        yield from (part for part in text.split("\0") if part)


def train():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer(r"\p{N}")  # no merge ever joins two digits
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=SIZE - len(LAST), special_tokens=FIRST, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.pre_tokenizer = pre_tokenizer(NUMBERS)
    tokenizer.decoder = decoders.ByteLevel()
    return json.loads(tokenizer.to_str())


def finish(file):
    """Puts the special tokens where they belong: three first ids, the others last."""
    vocab = file["model"]["vocab"]
    assert all(vocab[t] == i for i, t in enumerate(FIRST)) and len(vocab) == SIZE - len(LAST)
    tokens = [(t, True) for t in FIRST] + list(LAST.items())
    ids = list(range(len(FIRST))) + list(range(SIZE - len(LAST), SIZE))
    file["added_tokens"] = [
        {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": special} for i, (t, special) in zip(ids, tokens)]
    file["normalizer"] = {"type": "Sequence", "normalizers": []}
    return file


def added(content):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True,
            "rstrip": False, "single_word": False}


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(finish(train()), ensure_ascii=False, indent=1)
    (folder / "tokenizer.json").write_text(text + "\n")
    config = {"add_bos_token": False, "add_eos_token": False, "bos_token": added(FIRST[0]),
              "clean_up_tokenization_spaces": False, "eos_token": added(FIRST[1]),
              "legacy": True, "model_max_length": 16384, "pad_token": added(FIRST[1]),
              "unk_token": None, "tokenizer_class": "LlamaTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
