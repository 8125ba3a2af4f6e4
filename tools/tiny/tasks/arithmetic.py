"""Word problems of one to three steps with worked answers that end in `#### N`."""

from . import combine, sentence, variant
from .encoding import BOS, EOS, assistant, encode, user
from .words import BOXES, DAYS, GOODS, NAMES, pronouns, some


WHEN = ["", "then ", "later ", "after that ", "next ", "in the evening ", "the next day ", "soon ",
        "after lunch ", "on {day} ", "in the afternoon "]
WHO = ["{name} ", "{he} "]
GAINS = ["buys ", "finds ", "gets ", "collects ", "picks up ", "receives ", "wins ", "makes ",
         "earns ", "brings home ", "adds ", "takes "]
GIFTS = ["{who} gives {name} ", "{who} gives {him} ", "{who} brings {name} ", "{who} brings {him} ",
         "{who} sends {name} ", "{who} sends {him} ", "{who} hands {name} ", "{who} lends {name} ",
         "{who} offers {him} ", "{who} buys {name} ", "{who} finds {him} "]
MORE = ["{k} more {goods}.", "another {k} {goods}.", "{k} more.", "{k} extra {goods}.",
        "{k} new {goods}."]
LOSSES = ["loses ", "sells ", "uses ", "drops ", "throws away ", "gives away ", "breaks ", "hides "]
GIVES = ["gives ", "sends ", "hands ", "lends ", "sells ", "offers ", "shows and gives "]
TAKES = ["{who} takes ", "{who} borrows ", "{who} buys ", "{who} wants and gets ", "{who} steals "]
SOME = ["{k} {goods}", "{k} of the {goods}", "{k} of them", "{k}"]
HAS = ["has ", "owns ", "counts ", "collects ", "starts with ", "finds ", "brings ", "begins with ",
       "keeps ", "gets ", "buys ", "holds "]
FIRST = ["", "in the morning ", "at first ", "one day ", "on {day} ", "today ", "at the start ",
         "last week "]
PACKED = ["{a} {box} with {b} {goods} in each.", "{a} {box} of {b} {goods} each.",
          "{a} {box} that hold {b} {goods} each.", "{a} {box}. Each of them holds {b} {goods}.",
          "{a} {box}, each with {b} {goods}.", "{a} {box}. There are {b} {goods} in each of them."]
ASKS = ["how many {goods} does {name} have", "how many {goods} does {he} have",
        "how many {goods} are there", "how many {goods} does {name} own",
        "what number of {goods} does {name} have", "how many does {he} have"]
ENDS = ["?", " now?", " in the end?", " at the end?", " in total?", " altogether?", " after that?"]


def add(rng, values, n, split):
    k = rng.randint(2, 60)
    form = (WHEN, WHO, GAINS, MORE) if rng.random() < 0.5 else (WHEN, GIFTS, MORE)
    text = sentence(combine(rng, split, *form), k=k, **values)
    return text, n + k, f"{n} + {k} = {n + k}."


def subtract(rng, values, n, split):
    k = rng.randint(1, n - 1)
    form = rng.choice([(WHEN, WHO, LOSSES, SOME, ["."]), (WHEN, TAKES, SOME, ["."]),
                       (WHEN, WHO, GIVES, SOME, [" to {who}."])])
    text = sentence(combine(rng, split, *form), k=k, **values)
    return text, n - k, f"{n} - {k} = {n - k}."


def start(rng, values, split):
    """-> text, number, steps."""
    if rng.random() < 0.35:
        a, b = rng.randint(2, 10), rng.randint(2, 10)
        form = combine(rng, split, FIRST, ["{name} "], HAS, PACKED)
        text = sentence(form, a=a, b=b, box=rng.choice(BOXES), **values)
        return text, a * b, [f"{a} * {b} = {a * b}."]
    n = rng.randint(3, 90)
    form = combine(rng, split, FIRST, ["{name} "], HAS, ["{n} {goods}."])
    return sentence(form, n=n, **values), n, []


def problem(rng, split):
    """-> question, worked answer, number."""
    name, who = rng.sample(NAMES, 2)
    he, him, _ = pronouns(name)
    values = {"name": name, "who": who, "he": he, "him": him, "goods": some(rng, GOODS, 0.1),
              "day": rng.choice(DAYS)}
    text, n, steps = start(rng, values, split)
    sentences = [text]
    for _ in range(rng.choice([1, 1, 2]) if not steps else rng.choice([0, 1, 1, 2])):
        move = add if n < 4 or rng.random() < 0.5 else subtract
        text, n, step = move(rng, values, n, split)
        sentences.append(text)
        steps.append(step)
    sentences.append(sentence(combine(rng, split, ASKS, ENDS), **values))
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
