"""Small Python functions with their tests: text that looks like code and is consistent."""

from . import variant
from .encoding import BOS, EOS, assistant, encode, user

OPERATIONS = {"add": "+", "subtract": "-", "multiply": "*"}
ARGUMENTS = ["x", "y", "a", "b", "n", "m", "left", "right", "value", "size", "width", "height"]


def function(rng, split):
    """-> (description, code)."""
    a, b = rng.sample(ARGUMENTS, 2)
    k = rng.randint(2, 9)
    word, sign = rng.choice(list(OPERATIONS.items()))
    options = [
        (f"{word}s {a} and {b}", f"def {word}({a}, {b}):\n    return {a} {sign} {b}\n"),
        (
            f"returns the larger of {a} and {b}",
            f"def largest({a}, {b}):\n    if {a} > {b}:\n        return {a}\n    return {b}\n",
        ),
        (f"returns {a} times {k}", f"def times_{k}({a}):\n    return {a} * {k}\n"),
        (f"tells whether {a} is even", f"def is_even({a}):\n    return {a} % 2 == 0\n"),
        (
            f"returns the smaller of {a} and {b}",
            f"def smallest({a}, {b}):\n    if {a} < {b}:\n        return {a}\n    return {b}\n",
        ),
        (
            f"sums the numbers below {a}",
            f"def sum_below({a}):\n    total = 0\n    for i in range({a}):\n        total += i\n"
            f"    return total\n",
        ),
        (
            f"prints {a} {k} times",
            f"def print_{k}({a}):\n    for i in range({k}):\n" f"        print({a})\n",
        ),
    ]
    return rng.choice(options)


def document(rng, split="train"):
    if rng.random() < 0.5:
        return [
            (BOS, 0.0),
            (
                "\n\n".join(
                    f"# {d}\n{c}".rstrip()
                    for d, c in (function(rng, split) for _ in range(rng.randint(1, 4)))
                )
                + "\n"
                + EOS,
                1.0,
            ),
        ]
    what, text = function(rng, split)
    ask = variant(
        rng,
        [
            f"Write a Python function that {what}.",
            f"I need a function that {what}.",
            f"Give me Python code that {what}.",
            f"Please write a function that {what}.",
            f"Show me a Python function that {what}.",
        ],
        split,
    )
    return encode(
        [user(ask), assistant(f"```python\n{text}```", f"A function that {what}.")],
        rng.random() < 0.2,
    )
