"""Generators of training and evaluation text. Every document is a list of (text, weight) segments:
each segment is tokenized by itself, weight is what its tokens count in the loss.

Splits: "train" and "eval" draw from different seeds and from different templates: of every list
given to variant() each fifth template, and of all combinations that combine() can make the fifth
that a checksum picks, are seen in evaluation only.
"""

import zlib


def variant(rng, options, split):
    """One of the templates of this split; lists shorter than five are shared."""
    if len(options) < 5:
        return rng.choice(options)
    held = options[4::5]
    return rng.choice(held if split == "eval" else [o for o in options if o not in held])


def combine(rng, split, *lists):
    """One of each list, joined; a combination belongs to one split only."""
    while True:
        text = "".join(rng.choice(options) for options in lists)
        if (zlib.crc32(text.encode()) % 5 == 0) == (split == "eval"):
            return text


def sentence(template, **values):
    text = template.format(**values)
    return text[0].upper() + text[1:]
