"""Copying, reversing, sorting, counting, and questions on days and months."""

from . import combine, sentence, variant
from .encoding import assistant, encode, user
from .words import ANIMALS, CITIES, COLOURS, DAYS, ENGLISH, FRUITS, MONTHS, NAMES, OBJECTS, several

POLITE = ["", "please ", "now ", "can you ", "could you ", "next, "]
SORTS = ["sort", "put", "write", "arrange", "order", "list"]
COPIES = ["repeat", "copy", "say again", "write exactly", "echo", "repeat after me", "write"]
WHAT = ["", " this", " these", " the following", " this list", " the items", " this line"]
REVERSES = ["reverse: ", "reverse this: ", "reverse this list: ", "write backwards: ",
            "turn this list around: ", "write this in reverse order: ", "reverse the items: ",
            "give me the reverse of: ", "write the items backwards: "]
POOL = FRUITS + OBJECTS + COLOURS + ANIMALS


def listing(rng, split):
    """-> question, answer on a list of words or numbers."""
    numbers = rng.random() < 0.4
    n = rng.randint(2, 6)
    words = [str(x) for x in rng.sample(range(1, 100), n)] if numbers else rng.sample(POOL, n)
    text = ", ".join(words)
    kind = rng.randrange(7)
    if kind == 0:
        ordered = sorted(words, key=int) if numbers else sorted(words)
        how = "from small to large" if numbers else "in alphabetical order"
        what = WHAT + [" these numbers" if numbers else " these words"]
        ask = combine(rng, split, POLITE, SORTS, what, [" {how}: "])
        return sentence(ask, how=how) + text, ", ".join(ordered)
    if kind == 1:
        return sentence(combine(rng, split, POLITE, REVERSES)) + text, ", ".join(words[::-1])
    if kind == 2:
        return sentence(combine(rng, split, POLITE, COPIES, WHAT, [": "])) + text, text
    if kind == 3:
        return f"How many items are in this list: {text}?", f"There are {n} items."
    if kind == 4:
        return f"What is the first item of this list: {text}?", words[0]
    if kind == 5:
        return f"What is the last item of this list: {text}?", words[-1]
    i = rng.randrange(n - 1)
    return f"Which item comes after {words[i]} in this list: {text}?", words[i + 1]


def date(rng, split):
    cycle, name = rng.choice([(DAYS, "day"), (MONTHS, "month")])
    i, k = rng.randrange(len(cycle)), rng.randint(2, 5)
    at = lambda n: cycle[n % len(cycle)]
    kind = rng.randrange(4)
    if kind == 0:
        return variant(rng, [f"Which {name} comes after {at(i)}?", f"What {name} follows {at(i)}?",
                             f"What is the {name} after {at(i)}?", f"Which {name} follows {at(i)}?",
                             f"Tell me the {name} after {at(i)}."], split), f"{at(i + 1)}."
    if kind == 1:
        return f"Which {name} comes before {at(i)}?", f"{at(i - 1)}."
    if kind == 2:
        steps = ", ".join(at(i + n) for n in range(1, k + 1))
        return f"Which {name} is {k} {name}s after {at(i)}?", f"{steps}. It is {at(i + k)}."
    return f"List the {k} {name}s after {at(i)}.", ", ".join(at(i + n) for n in range(1, k + 1))


def comparison(rng, split):
    a, b = rng.sample(range(1, 100), 2)
    b = a if rng.random() < 0.3 else b
    if rng.random() < 0.4:
        order = "equal to" if a == b else "less than" if a < b else "larger than"
        ask = variant(rng, ["Compare {a} and {b}.", "How do {a} and {b} compare?",
                            "Compare {a} with {b}.", "Compare these numbers: {a}, {b}.",
                            "Please compare {a} to {b}."], split)
        return ask.format(a=a, b=b), f"{a} is {order} {b}."
    word, holds = rng.choice([("equal to", a == b), ("less than", a < b), ("larger than", a > b)])
    ask = variant(rng, [f"Is {a} {word} {b}?", f"Can you say whether {a} is {word} {b}?",
                        f"Is it true that {a} is {word} {b}?", f"{a} is {word} {b}. Is that right?",
                        f"Tell me whether {a} is {word} {b}."], split)
    return ask, "Yes." if holds else "No."


def copy(rng, split):
    """Strings that no model can know, of letters and digits, or words in no order."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    text = " ".join("".join(rng.choices(letters, k=rng.randint(2, 6)))
                    for _ in range(rng.randint(1, 8)))
    if rng.random() < 0.4:
        text = several(rng, rng.choice([NAMES + POOL + CITIES, ENGLISH]), 20)
    return sentence(combine(rng, split, POLITE, COPIES, WHAT, [": "])) + text, text


def question(rng, split):
    return rng.choice([listing, listing, date, copy, comparison])(rng, split)


def document(rng, split="train"):
    messages = []
    for _ in range(rng.randint(1, 4)):
        ask, answer = question(rng, split)
        messages += [user(ask), assistant(answer, "The answer is short.")]
    return encode(messages, rng.random() < 0.15)


def item(rng, split="eval"):
    ask, answer = question(rng, split)
    return "".join(t for t, _ in encode([user(ask)], False)), answer
