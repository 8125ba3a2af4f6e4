"""Word problems of one to three steps with worked answers that end in `#### N`."""

from . import variant
from .encoding import BOS, EOS, assistant, encode, user
from .words import BOXES, GOODS, NAMES, pronouns


def add(rng, name, goods, n, split):
    k = rng.randint(2, 60)
    who = rng.choice(NAMES)
    he = pronouns(name)[0]
    text = variant(rng, [
        f"Then {he} buys {k} more.", f"Then {he} finds {k} more {goods}.",
        f"{who} gives {name} {k} more {goods}.", f"After that {he} gets {k} more.",
        f"Later {who} brings {name} another {k} {goods}.", f"{name} picks up {k} more {goods}.",
        f"In the evening {he} collects {k} more.", f"{who} sends {name} {k} more.",
    ], split)
    return text, n + k, f"{n} + {k} = {n + k}."


def subtract(rng, name, goods, n, split):
    k = rng.randint(1, n - 1)
    who = rng.choice(NAMES)
    he = pronouns(name)[0]
    text = variant(rng, [
        f"Then {he} gives {k} to {who}.", f"Then {he} loses {k} of them.",
        f"{name} sells {k} {goods}.", f"{who} takes {k} of the {goods}.",
        f"After that {name} gives away {k} {goods}.", f"Later {he} uses {k} of them.",
        f"{name} hands {k} {goods} to {who}.", f"Then {k} of the {goods} get lost.",
    ], split)
    return text, n - k, f"{n} - {k} = {n - k}."


def start(rng, name, goods, split):
    """-> text, number, steps."""
    if rng.random() < 0.35:
        a, b, box = rng.randint(2, 10), rng.randint(2, 10), rng.choice(BOXES)
        text = variant(rng, [
            f"{name} has {a} {box} with {b} {goods} in each.",
            f"{name} buys {a} {box} of {b} {goods} each.",
            f"There are {a} {box} at {name}'s house and each holds {b} {goods}.",
            f"{name} fills {a} {box} with {b} {goods} each.",
            f"{name} owns {a} {box}. Each of them holds {b} {goods}.",
            f"{name} packs {b} {goods} into each of {a} {box}.",
        ], split)
        if "packs" in text:
            a, b = b, a
        return text, a * b, [f"{a} * {b} = {a * b}."]
    n = rng.randint(3, 90)
    text = variant(rng, [
        f"{name} has {n} {goods}.", f"{name} starts with {n} {goods}.",
        f"There are {n} {goods} on {name}'s table.", f"{name} collects {n} {goods}.",
        f"{name} owns {n} {goods}.", f"In the morning {name} has {n} {goods}.",
        f"{name} counts {n} {goods}.",
    ], split)
    return text, n, []


def problem(rng, split):
    """-> question, worked answer, number."""
    name, goods = rng.choice(NAMES), rng.choice(GOODS)
    text, n, steps = start(rng, name, goods, split)
    sentences = [text]
    for _ in range(rng.choice([1, 1, 2]) if not steps else rng.choice([0, 1, 1, 2])):
        move = add if n < 4 or rng.random() < 0.5 else subtract
        text, n, step = move(rng, name, goods, n, split)
        sentences.append(text)
        steps.append(step)
    he = pronouns(name)[0]
    sentences.append(variant(rng, [
        f"How many {goods} does {name} have now?", f"How many {goods} does {he} have in the end?",
        f"How many {goods} are there now?", f"How many {goods} does {name} have?",
        f"How many {goods} does {name} have at the end?", f"How many {goods} does {he} have now?",
    ], split))
    return " ".join(sentences), "\n".join(steps) + f"\n#### {n}", n


def plain_sum(rng):
    a, b = rng.randint(1, 99), rng.randint(1, 99)
    kind = rng.randrange(3)
    if kind == 0:
        return f"{a} + {b}", a + b
    if kind == 1:
        return f"{max(a, b)} - {min(a, b)}", abs(a - b)
    a, b = rng.randint(2, 12), rng.randint(2, 12)
    return f"{a} * {b}", a * b


def sum_document(rng, split):
    text, n = plain_sum(rng)
    ask = variant(rng, [f"What is {text}?", f"{text} = ?", f"Calculate {text}.", f"{text}",
                        f"Please work out {text}.", f"How much is {text}?"], split)
    answer = f"{text} = {n}."
    if rng.random() < 0.5:
        return [(f"{BOS}Question: {ask}\nAnswer:", 0.1), (f" {answer}\n#### {n}" + EOS, 1.0)]
    thinking = rng.random() < 0.3
    return encode([user(ask), assistant(answer, f"I need {text}.")], thinking)


def few_shot(rng, split, count):
    """-> prompt in lm_eval's style with solved examples before the question, answer, number."""
    parts = []
    for _ in range(count):
        question, worked, _ = problem(rng, split)
        parts.append(f"Question: {question}\nAnswer: {worked}\n\n")
    question, worked, n = problem(rng, split)
    return BOS + "".join(parts) + f"Question: {question}\nAnswer:", " " + worked, n


def document(rng, split="train"):
    roll = rng.random()
    if roll < 0.15:
        return sum_document(rng, split)
    if roll < 0.6:
        prompt, worked, _ = few_shot(rng, split, rng.choice([0, 0, 0, 0, 1, 2]))
        return [(prompt, 0.2), (worked + EOS, 1.0)]
    question, worked, n = problem(rng, split)
    if rng.random() < 0.3:
        steps = worked.split("\n####")[0].replace("\n", " ")
        return encode([user(question), assistant(f"The answer is {n}.\n#### {n}", steps)], True)
    return encode([user(question), assistant(worked)], False)


def item(rng, split="eval"):
    """-> segments of the prompt, the expected number."""
    prompt, _, n = few_shot(rng, split, 0)
    return prompt, n
