"""Generators of training and evaluation text. Every document is a list of (text, weight) segments:
each segment is tokenized by itself, weight is what its tokens count in the loss.

Splits: "train" and "eval" draw from different seeds, and of every list of templates given to
variant() each fifth one is seen in evaluation only.
"""


def variant(rng, options, split):
    """One of the templates of this split; lists shorter than five are shared."""
    if len(options) < 5:
        return rng.choice(options)
    held = options[4::5]
    return rng.choice(held if split == "eval" else [o for o in options if o not in held])
