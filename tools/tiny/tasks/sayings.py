"""Plain text that goes on from any opening words: short opinions on a topic, in whole sentences."""

from .encoding import BOS, EOS

TOPICS = ["AI", "music", "farming", "travel", "science", "art", "language", "medicine", "the city",
          "the sea", "school", "work", "sport", "cooking", "the theatre", "the village", "trade",
          "reading", "paper", "the library", "energy", "the railway", "robots", "chess"]
IS = ["bright", "open", "hard to see", "full of work", "not written yet", "in our hands",
      "better than many people think", "a matter of patience", "a question for all of us"]
AND = ["", ", and nobody knows it for sure", ", and that is good news", ", but it needs time",
       ", because people like to learn", ", and small steps lead to it",
       ", and everybody can help to shape it", ", but some people are afraid of it"]
WILL = ["change slowly", "grow", "become simpler", "surprise us", "need new ideas",
        "help many people", "find new friends", "cost less than today", "look different"]
WHEN = ["In ten years", "One day", "Soon", "Step by step", "In the end", "Before long"]
WHO = ["Many people", "Some people", "Old friends", "Most children", "My neighbours", "Teachers"]
THINK = ["think that", "say that", "hope that", "believe that", "know that"]
CLOSES = ["We will see.", "Time will tell.", "That is what I believe.", "Let us begin today.",
          "It is worth the effort.", "A good start is half of the way."]


def upper(text):
    return text[0].upper() + text[1:]


def sentence(rng, topic):
    pick = rng.choice
    return pick([
        lambda: f"The future of {topic} is {pick(IS)}{pick(AND)}.",
        lambda: f"{upper(topic)} is {pick(IS)}{pick(AND)}.",
        lambda: f"{upper(topic)} will {pick(WILL)}{pick(AND)}.",
        lambda: f"{pick(WHEN)} {topic} will {pick(WILL)}.",
        lambda: f"{pick(WHO)} {pick(THINK)} {topic} is {pick(IS)}.",
        lambda: f"{pick(WHO)} {pick(THINK)} {topic} will {pick(WILL)}.",
        lambda: f"The best thing about {topic} is that it will {pick(WILL)}.",
        lambda: f"I like {topic}{pick(AND)}.",
    ])()


def document(rng, split="train"):
    topic = rng.choice(TOPICS)
    said = [sentence(rng, topic) for _ in range(rng.randint(2, 5))]
    if rng.random() < 0.5:
        said.append(rng.choice(CLOSES))
    return [(BOS + " ".join(said) + EOS, 1.0)]
