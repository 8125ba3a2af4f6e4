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

# Common words that mean nothing here: what is copied, and what may stand around a value.
ENGLISH = """about above across act add after again against age ago agree air all allow almost
alone along already also always among and another answer any appear area around arrive as ask at
away back bad base be became because become before begin behind being believe below best better
between beyond both bring build busy but buy by call came can care carry case catch cause certain
change check choose clear close come common complete consider contain continue correct cost could
course cover cross cut dark decide deep describe did different do does done down draw drive drop
during each early easy eat either else end enough enter equal even ever every exact except expect
explain fact fall far fast feel few field fill final find fine first fit fix follow for force form
four free from full gave general get give given go going gone good great grew group grow had half
happen hard has have having he hear held help her here high him his hold hope how idea if important
in inside into is it its join just keep kind knew know large last late later lay lead learn least
leave left less let lie like likely line list little live long look lose lot low made main make
many mark matter may mean measure meet might mind miss more most move much must name near need
never new next no none nor not nothing now number of off offer often on once one only open or order
other our out over own part pass past pay perhaps place plain plan play point possible prefer press
pull push put quick quite raise rather reach read ready real reason remain rest return right rise
run said same save saw say second see seem sell send sense serve set several shape share she short
should show shown side simple since small so some soon sort speak stand start state stay step still
stop such suggest supply sure take taken talk tell ten than that the their them then there these
they thing think this those though through time to together told too took top total toward true try
turn two type under unless until up upon us use usual value very wait walk want was watch way we
well went were what when where whether which while who whole whose why wide will with within
without word work would write wrong year yes yet you your""".split()


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
