"""Small talk, a few facts, and conversations that mix the other tasks."""

from . import arithmetic, lists, stories, variant
from .encoding import assistant, encode, user
from .sayings import upper
from .words import CITIES, NAMES

ABOUT = (
    "I am a very small language model. I can tell short stories, solve simple word problems, "
    "sort lists, find facts in a text and call tools."
)
TALK = [
    (
        ["Hi", "Hello", "Hi!", "Hello!", "Good morning", "Hey", "Hello there", "Good evening"],
        "Hello! How can I help you?",
    ),
    (
        [
            "Who are you?",
            "What are you?",
            "Tell me about yourself.",
            "What is your name?",
            "Please introduce yourself.",
            "What can you do?",
            "What can you help me with?",
        ],
        ABOUT,
    ),
    (
        ["How are you?", "How are you today?", "How do you do?", "Are you well?"],
        "I am fine, thank you. What can I do for you?",
    ),
    (
        ["Thanks", "Thank you", "Thank you very much.", "Thanks a lot!", "Great, thanks."],
        "You are welcome!",
    ),
    (["Bye", "Goodbye", "See you later.", "Good night", "Bye bye"], "Goodbye!"),
    (
        ["What is the weather like?", "Is it raining?", "What time is it?"],
        "I cannot know that without a tool.",
    ),
]
CAPITALS = {
    "France": "Paris",
    "Italy": "Rome",
    "Germany": "Berlin",
    "Spain": "Madrid",
    "England": "London",
    "Austria": "Vienna",
    "Ireland": "Dublin",
    "Portugal": "Lisbon",
    "Norway": "Oslo",
    "Greece": "Athens",
    "Poland": "Warsaw",
    "Japan": "Tokyo",
    "Egypt": "Cairo",
    "Peru": "Lima",
}
OPPOSITES = {
    "hot": "cold",
    "big": "small",
    "old": "new",
    "early": "late",
    "fast": "slow",
    "dark": "bright",
    "full": "empty",
    "high": "low",
    "left": "right",
    "open": "closed",
}
COLOUR_OF = {
    "the sky": "blue",
    "grass": "green",
    "snow": "white",
    "a lemon": "yellow",
    "a cherry": "red",
    "coal": "black",
    "chocolate": "brown",
}
COUNTS = {
    "days are in a week": 7,
    "months are in a year": 12,
    "hours are in a day": 24,
    "minutes are in an hour": 60,
    "seconds are in a minute": 60,
    "legs does a dog have": 4,
    "legs does a duck have": 2,
    "seasons are in a year": 4,
    "letters are in the alphabet": 26,
}
SYSTEMS = [
    "You are a helpful assistant.",
    "Be brief.",
    "You are a friendly helper.",
    "Answer in short sentences.",
    "You are fathom, a small model.",
]


def fact(rng, split):
    kind = rng.randrange(4)
    if kind == 0:
        land, city = rng.choice(list(CAPITALS.items()))
        return (
            variant(
                rng,
                [
                    f"What is the capital of {land}?",
                    f"Which city is the capital of {land}?",
                    f"Capital of {land}?",
                    f"Tell me the capital of {land}.",
                    f"Do you know the capital of {land}?",
                ],
                split,
            ),
            f"The capital of {land} is {city}.",
        )
    if kind == 1:
        a, b = rng.choice(list(OPPOSITES.items()))
        a, b = (a, b) if rng.random() < 0.5 else (b, a)
        return f"What is the opposite of {a}?", f"The opposite of {a} is {b}."
    if kind == 2:
        what, n = rng.choice(list(COUNTS.items()))
        noun, rest = what.split(" ", 1)
        if rest.startswith("does "):
            return f"How many {what}?", f"{upper(rest[5:-5])} has {n} {noun}."
        return f"How many {what}?", f"There are {n} {noun} {rest[4:]}."
    thing, colour = rng.choice(list(COLOUR_OF.items()))
    return f"What colour is {thing}?", f"{upper(thing)} is {colour}."


def memory(rng):
    """The user says something and asks for it in a later turn."""
    name, city, n = rng.choice(NAMES), rng.choice(CITIES), rng.randint(5, 90)
    kind = rng.randrange(3)
    if kind == 0:
        return [
            (f"My name is {name}.", f"Nice to meet you, {name}!"),
            ("What is my name?", f"Your name is {name}."),
        ]
    if kind == 1:
        return [
            (f"I live in {city}.", f"{city} is a nice city."),
            ("Where do I live?", f"You live in {city}."),
        ]
    return [
        (f"I am {n} years old.", f"I see, you are {n}."),
        ("How old am I?", f"You are {n} years old."),
    ]


def turn(rng, split):
    roll = rng.random()
    if roll < 0.3:
        asks, answer = rng.choice(TALK)
        return variant(rng, asks, split), answer
    if roll < 0.6:
        return fact(rng, split)
    if roll < 0.8:
        return lists.question(rng, split)
    if roll < 0.95:
        question, worked, _ = arithmetic.problem(rng, split)
        return question, worked
    return stories.request(rng, split)


def document(rng, split="train"):
    turns = [turn(rng, split) for _ in range(rng.randint(1, 4))]
    if rng.random() < 0.3:
        first, then = memory(rng)
        turns = [first] + turns[: rng.randint(0, 2)] + [then]
    messages = []
    if rng.random() < 0.4:
        messages.append({"role": "system", "content": rng.choice(SYSTEMS)})
    for ask, answer in turns:
        messages += [user(ask), assistant(answer, "I know how to answer this.")]
    return encode(messages, rng.random() < 0.25)
