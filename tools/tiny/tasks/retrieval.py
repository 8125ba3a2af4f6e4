"""Needles in a haystack of narrative, and look-ups in lists of keys and values."""

from . import stories, variant
from .encoding import BOS, EOS, assistant, encode, user
from .words import CITIES, COLOURS, FRUITS, NAMES, THINGS, some

FILLER_WEIGHT = 0.05


def number(rng):
    return str(rng.randint(10000, 99999))


def fact(rng, used, split):
    """-> (sentence, questions, answer) about a subject that is not in used yet."""
    while True:
        who, thing = some(rng, NAMES, 0.1), rng.choice(COLOURS) + " " + rng.choice(THINGS)
        kind = rng.randrange(3)
        subject = (kind, who if kind != 1 else thing)
        if subject not in used:
            break
    used.add(subject)
    if kind == 0:
        value, what = number(rng), f"secret code of {who}"
    elif kind == 1:
        value, what = number(rng), f"number of the {thing}"
    else:
        value, what = rng.choice(CITIES), f"favourite city of {who}"
    sentence = variant(
        rng,
        [
            f"The {what} is {value}.",
            f"Remember that the {what} is {value}.",
            f"Please note: the {what} is {value}.",
            f"The {what} is {value}.",
            f"Do not forget that the {what} is {value}.",
        ],
        split,
    )
    question = variant(
        rng,
        [
            f"What is the {what}?",
            f"Tell me the {what}.",
            f"Which is the {what}?",
            f"Please tell me the {what}.",
            f"Can you tell me the {what}?",
            f"Do you remember the {what}?",
        ],
        split,
    )
    return sentence, question, f"The {what} is {value}.", value


def haystack(rng, characters, facts):
    """Narrative of about that many characters with the facts' sentences strewn in."""
    parts, size = [], 0
    while size < characters:
        parts += stories.story(rng)[1]
        size = sum(map(len, parts)) if len(parts) < 20 else size + sum(map(len, parts[-10:]))
    for sentence in facts:
        parts.insert(rng.randint(0, len(parts)), sentence)
    return " ".join(parts)


def document(rng, split="train", characters=1200):
    count = max(2, min(24, characters // 300))
    used = set()
    facts = [fact(rng, used, split) for _ in range(count)]
    hay = haystack(rng, characters, [f[0] for f in facts])
    asked = rng.sample(facts, min(count, 12))
    if rng.random() < 0.35:
        out = [(f"{BOS}{hay}\n\n", FILLER_WEIGHT)]
        for _, question, answer, _ in asked:
            out += [(f"Question: {question}\nAnswer:", 0.05), (f" {answer}\n\n", 1.0)]
        return out + [(EOS, 0.1)]
    messages = []
    for i, (_, question, answer, _) in enumerate(asked):
        ask = f"{hay}\n\n{question}" if i == 0 else question
        messages += [user(ask), assistant(answer, "I look it up in the text.")]
    return encode(messages, rng.random() < 0.15, weight=FILLER_WEIGHT)


def question(rng, characters, split="eval"):
    """One needle, one question -> the user's text, value that the answer must contain."""
    sentence, asked, _, value = fact(rng, set(), split)
    while not value.isdigit():
        sentence, asked, _, value = fact(rng, set(), split)
    hay = haystack(rng, characters, [sentence])
    return f"{hay}\n\n{asked}", value


def prompt(text):
    return "".join(t for t, _ in encode([user(text)], False))


def table(rng, split="train"):
    """Lines of key: value, then questions."""
    keys = rng.sample(NAMES + FRUITS + CITIES, rng.randint(3, 30))
    values = [number(rng) if rng.random() < 0.6 else rng.choice(COLOURS) for _ in keys]
    sep = rng.choice([": ", " = ", " -> "])
    text = "\n".join(f"{k}{sep}{v}" for k, v in zip(keys, values))
    messages = []
    for i, n in enumerate(rng.sample(range(len(keys)), 3)):
        ask = variant(
            rng,
            [
                f"What is the value of {keys[n]}?",
                f"Which value has {keys[n]}?",
                f"Look up {keys[n]}.",
                f"{keys[n]}?",
                f"Give me the value of {keys[n]}.",
            ],
            split,
        )
        ask = f"{text}\n\n{ask}" if i == 0 else ask
        messages += [user(ask), assistant(values[n], f"The line is {keys[n]}{sep}{values[n]}.")]
    return encode(messages, rng.random() < 0.2, weight=FILLER_WEIGHT)
