"""Short English narratives: a hero, a friend, a wish, a trouble, attempts, talk, an end."""

import re

from . import variant
from .encoding import BOS, EOS, assistant, encode, user
from .words import ANIMALS, COLOURS, GIRLS, MATERIALS, NAMES, PLACES, THINGS, article, pronouns

HOMES = [
    "at the edge of the forest",
    "near the old harbour",
    "in a small village",
    "above the bakery",
    "beside the river",
    "in a house by the sea",
    "behind the mill",
]
WEATHER = [
    "The morning was cold and bright.",
    "Rain was falling on the roofs.",
    "A soft wind came from the hills.",
    "The sun had just come up.",
    "Snow lay on the road.",
    "The air smelled of bread and smoke.",
]
FEELINGS = ["worried", "curious", "tired", "sad", "nervous", "lonely"]
JOYS = ["happy", "proud", "glad", "grateful", "full of joy", "very pleased"]
TRAITS = ["brave", "quiet", "patient", "cheerful", "clever", "shy", "kind"]


class Cast:
    """Who and what a story is about; every sentence refers to these."""

    def __init__(self, rng):
        self.hero, self.friend = rng.sample(NAMES, 2)
        self.he, self.him, self.his = pronouns(self.hero)
        self.she, self.her, self.hers = pronouns(self.friend)
        self.kind = "girl" if self.hero in GIRLS else "boy"
        self.thing = rng.choice(THINGS)
        look = rng.choice(COLOURS + MATERIALS)
        self.item = f"{look} {self.thing}"
        self.an_item = article(self.item)
        self.animal = rng.choice(ANIMALS)
        self.an_animal = article(self.animal)
        self.place, self.other = rng.sample(PLACES, 2)
        self.home = rng.choice(HOMES)
        self.trait, self.feeling, self.joy = (rng.choice(x) for x in (TRAITS, FEELINGS, JOYS))
        self.weather = rng.choice(WEATHER)
        self.a_trait = article(self.trait)

    def fill(self, template):
        text = template.format(**vars(self))
        text = text[0].upper() + text[1:]
        return re.sub(r"(?<=[.] )[a-z]", lambda m: m.group().upper(), text)


OPENINGS = [
    "Once upon a time there was {a_trait} {kind} named {hero} who lived {home}.",
    "{hero} was {a_trait} {kind} who lived {home}.",
    "{home} lived {a_trait} {kind} called {hero}.",
    "There was once {a_trait} {kind} named {hero}, and {he} lived {home}.",
    "A {kind} named {hero} lived {home}, and everybody knew that {he} was {trait}.",
    "Long ago {a_trait} {kind} called {hero} lived {home}.",
]
POSSESSIONS = [
    "{he} owned {an_item} that had belonged to {his} grandmother.",
    "The thing {he} loved most was {an_item}.",
    "{his} father had given {him} {an_item}, and {he} carried it everywhere.",
    "Every day {he} played with {an_item} that {he} had found in the {other}.",
    "In {his} pocket {he} always kept {an_item}.",
    "{he} had {an_item} and took good care of it.",
]
TROUBLES = [
    "One day the {thing} was gone. {hero} looked under the bed and behind the door, but it was not "
    "there.",
    "One morning {hero} could not find the {item}. {he} had left it in the {place} the day before.",
    "But one evening {an_animal} took the {thing} and ran away into the {place}.",
    "One afternoon {hero} dropped the {thing} near the {place}, and when {he} came back it had "
    "disappeared.",
    "Then one day the {item} broke, and nobody in the {place} knew how to mend it.",
    "One night a strong wind carried the {thing} away towards the {place}.",
]
REACTIONS = [
    "{hero} felt {feeling}. {weather}",
    "{weather} {hero} was {feeling} and did not know what to do.",
    "{he} was {feeling}, but {he} did not give up.",
    "{hero} sat down on a stone and felt {feeling}.",
    "{hero} was {feeling}. \"I must do something,\" {he} said.",
]
MEETINGS = [
    "On the way {he} met {his} friend {friend}. \"Why do you look so {feeling}?\" asked {friend}.",
    "Then {friend} came along the road. \"What is wrong, {hero}?\" {she} asked.",
    "{he} went to see {friend}, who lived next to the {other}. \"Can you help me?\" {he} asked.",
    "\"Hello, {hero},\" said {friend}, who was walking home. \"You look {feeling}.\"",
    "Near the {other} {he} saw {friend}. \"Good morning,\" said {friend}. \"Is something wrong?\"",
]
TALKS = [
    "\"It is about my {thing},\" said {hero}. \"I have to go to the {place}.\" \"Then I "
    "will come with "
    "you,\" said {friend}.",
    "{hero} told {friend} everything about the {item}. \"Do not worry,\" said {friend}. "
    "\"We will go "
    "to the {place} together.\"",
    "\"I need my {thing} back,\" said {hero}. \"Let us ask the {animal} in the {place},\" said "
    "{friend}.",
    "\"My {item} means so much to me,\" said {hero}. {friend} thought for a while. \"We "
    "should look "
    "in the {place},\" {she} said.",
    "\"Without the {thing} I cannot sleep,\" said {hero}. \"I know the way to the {place},\" said "
    "{friend}. \"Come on!\"",
]
JOURNEYS = [
    "So they walked to the {place}. It was a long way, and they shared a piece of bread.",
    "They went past the {other} and came to the {place}. Everything was quiet.",
    "Together they ran to the {place}. {friend} carried a lamp, and {hero} carried a rope.",
    "The two friends took the path to the {place}. They sang a song to keep their courage.",
    "It took them an hour to reach the {place}. {hero} was tired, but {friend} told {him} a joke.",
]
SEARCHES = [
    "In the {place} they looked everywhere. At last they saw {an_animal} under a tree.",
    "At the {place} {an_animal} was waiting for them. \"Are you looking for the {item}?\" "
    "it asked.",
    "{hero} looked on the left side and {friend} looked on the right side. Suddenly they heard "
    "{an_animal}.",
    "First they found only leaves and stones. Then {friend} saw {an_animal} that was sitting very "
    "still.",
    "\"Look over there!\" whispered {friend}. Behind a wall sat {an_animal}, and beside it "
    "something "
    "was shining.",
]
SOLUTIONS = [
    "The {animal} was hungry, so {hero} gave it some bread. Then it showed them the {item}.",
    "The {animal} had kept the {thing} safe all the time. \"Thank you,\" said {hero}, and "
    "the {animal} "
    "bowed.",
    "{friend} spoke softly to the {animal}. It moved aside, and there was the {item}.",
    "The {animal} was afraid at first. {hero} waited until it came closer, and then {he} saw the "
    "{thing}.",
    "\"You may have it,\" said the {animal}, \"but you must promise to visit me.\" {hero} "
    "promised, and "
    "the {animal} gave {him} the {thing}.",
]
ENDINGS = [
    "{hero} took the {item} home and was {joy}. From that day on {hero} and {friend} were "
    "the best of "
    "friends.",
    "They went home together, and {hero} was {joy}. {he} never lost the {thing} again.",
    "In the evening they sat by the fire, and {hero} was {joy}. \"Thank you, {friend},\" "
    "{he} said.",
    "{hero} was {joy}. {he} learned that a good friend is worth more than any {thing}.",
    "When they came home, everybody wanted to hear about the {animal}. {hero} was {joy}, "
    "and so was "
    "{friend}.",
    "{hero} put the {thing} on the shelf and smiled. {he} was {joy}, because {friend} had "
    "helped {him}.",
]
PARTS = (
    OPENINGS,
    POSSESSIONS,
    TROUBLES,
    REACTIONS,
    MEETINGS,
    TALKS,
    JOURNEYS,
    SEARCHES,
    SOLUTIONS,
    ENDINGS,
)


def story(rng, split="train"):
    """-> (cast, sentences by part). A held-out template of one part makes a story of "eval"."""
    cast = Cast(rng)
    new = rng.randrange(len(PARTS)) if split == "eval" else -1
    texts = []
    for i, part in enumerate(PARTS):
        texts.append(cast.fill(variant(rng, part, "eval" if i == new else "train")))
    return cast, texts


def text(rng, split="train"):
    _, parts = story(rng, split)
    cut = sorted(rng.sample(range(1, len(parts)), rng.randint(1, 3)))
    paragraphs, last = [], 0
    for c in cut + [len(parts)]:
        paragraphs.append(" ".join(parts[last:c]))
        last = c
    return "\n\n".join(paragraphs)


REQUESTS = [
    "Tell me a story about {hero} and {an_item}.",
    "Write a short story about {hero}.",
    "Please write a story with {an_animal} in it.",
    "Tell me a story about {hero} and {friend}.",
    "Can you tell me a story about {hero}?",
    "I would like to hear a story about {an_item}.",
    "Tell me a story about {an_animal}.",
]


def request(rng, split="train"):
    """-> (question, story)."""
    cast, parts = story(rng, split)
    ask = variant(rng, REQUESTS, split).format(**vars(cast))
    return ask, " ".join(parts[:5]) + "\n\n" + " ".join(parts[5:])


def document(rng, split="train"):
    if rng.random() < 0.2:
        ask, answer = request(rng, split)
        thinking = rng.random() < 0.2
        return encode([user(ask), assistant(answer, "The user wants a story.")], thinking)
    bos = BOS if rng.random() < 0.9 else ""
    return [(bos, 0.0), (text(rng, split) + EOS, 1.0)]
