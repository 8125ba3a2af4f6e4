"""The held-out items that a model is asked, for evaluate.py and tools/eval: no torch in here."""

import random
import re

from tasks import arithmetic, retrieval, stories, toolcalls
from tasks.encoding import BOS

SEED = 990000  # training seeds are small numbers


def drawn(make, n, split="eval"):
    """make(rng, split) for each of the first n seeds."""
    return [make(random.Random(SEED + i), split) for i in range(n)]


def last_number(text):
    found = re.findall(r"#### (-?\d+)", text)
    return int(found[0]) if found else None


def sums(n, split="eval"):
    """-> [(prompt, number)]."""
    return drawn(arithmetic.item, n, split)


def questions(n, split="eval"):
    """-> [(question, number)] to be asked in a chat."""
    return [(q, number) for q, _, number in drawn(arithmetic.problem, n, split)]


def requests(n, split="eval"):
    """-> [(messages up to the call, schemas, the message with the calls)]."""
    return drawn(toolcalls.question, n, split)


def needle(seed, length, tokens):
    """-> (text of the user, value) of a chat somewhat shorter than length; tokens counts a text."""
    rng = random.Random(SEED + seed)
    size = int(length * 4.1)
    item = retrieval.question(rng, size)
    while not 0.85 * length < (count := tokens(item[0])) < length - 32:
        size = int(size * (0.93 if count > length - 32 else 1.05))
        if size < 100:  # One story alone is longer: the tokenizer is not made for such texts.
            raise ValueError(f"no chat of {length} tokens: a short one has {count}")
        item = retrieval.question(rng, size)
    return item


def openings(n):
    """The first two parts of held-out stories."""
    return [BOS + " ".join(parts[:2]) for _, parts in drawn(stories.story, n)]


def narratives(n):
    return [BOS + text for text in drawn(stories.text, n)]
