"""Words that the generators draw from."""

NAMES = """Mara Tom Lena Otto Ruth Sam Nora Felix Ida Hugo Clara Paul Rosa Max Emma Leo Greta Finn
Alice Ben Dora Jack Helen Victor Lucy Oscar Julia Martin Anna Peter Sofia Daniel Eva Simon Iris
Walter Nina Karl Molly George""".split()
GIRLS = set("""Mara Lena Ruth Nora Ida Clara Rosa Emma Greta Alice Dora Helen Lucy Julia Anna Sofia
Eva Iris Nina Molly""".split())
CITIES = """Oslo Paris Rome Berlin Madrid London Vienna Dublin Lisbon Prague Athens Warsaw Tokyo
Cairo Boston Chicago Sydney Toronto Geneva Hamburg Munich Bergen Milan Seoul Lima""".split()
PLACES = ["forest", "village", "harbour", "garden", "market", "mill", "castle", "valley", "library",
          "lighthouse", "farm", "bakery", "meadow", "river", "school", "workshop"]
ANIMALS = ["fox", "owl", "rabbit", "hedgehog", "crow", "cat", "dog", "goat", "duck", "horse",
           "mouse", "badger", "otter", "deer"]
THINGS = ["key", "lantern", "map", "bell", "ring", "book", "basket", "coat", "flute", "compass",
          "letter", "kite", "clock", "mirror", "coin", "hat", "violin", "spoon"]
COLOURS = ["red", "blue", "green", "yellow", "white", "black", "brown", "silver", "golden", "grey"]
MATERIALS = ["wooden", "old", "small", "heavy", "broken", "shiny", "copper", "painted"]
GOODS = ["apples", "pears", "stamps", "books", "marbles", "eggs", "pencils", "cards", "shells",
         "coins", "stickers", "buttons", "flowers", "cakes", "oranges", "tickets"]
BOXES = ["boxes", "bags", "baskets", "jars", "crates", "packets", "shelves", "trays"]
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = """January February March April May June July August September October November
December""".split()
FRUITS = """apple banana cherry grape lemon mango melon orange peach pear plum fig kiwi lime olive
date""".split()
OBJECTS = """chair table lamp cup plate knife fork shoe shirt glove pen brush rope nail stone leaf
bread cheese milk rice salt sugar tea soup cake honey door window roof wall bridge road boat train
ship wheel ball drum horn star moon sun cloud rain snow wind fire water sand gold iron""".split()


def invented(rng):
    """A word that no list holds: what is copied must not depend on having been seen."""
    return "".join(rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou")
                   + rng.choice(["", "", "n", "r", "s", "l", "t", "ck"])
                   for _ in range(rng.randint(1, 3)))


def some(rng, words, share=0.2):
    """One of the words or, with that share, an invented one in the same case."""
    word = rng.choice(words)
    if rng.random() >= share:
        return word
    return invented(rng).capitalize() if word[0].isupper() else invented(rng)


def several(rng, words, most):
    return " ".join(some(rng, words) for _ in range(rng.randint(1, most)))


def pronouns(name):
    """-> he, him, his or she, her, her."""
    return ("she", "her", "her") if name in GIRLS else ("he", "him", "his")


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word
