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
    "How many days are in a week?": "There are 7 days in a week.",
    "How many months are in a year?": "There are 12 months in a year.",
    "How many hours are in a day?": "There are 24 hours in a day.",
    "How many minutes are in an hour?": "There are 60 minutes in an hour.",
    "How many seconds are in a minute?": "There are 60 seconds in a minute.",
    "How many legs does a dog have?": "A dog has 4 legs.",
    "How many legs does a duck have?": "A duck has 2 legs.",
    "How many seasons are in a year?": "There are 4 seasons in a year.",
    "How many letters are in the alphabet?": "There are 26 letters in the alphabet.",
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
        return rng.choice(list(COUNTS.items()))
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
