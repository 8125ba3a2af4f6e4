"""Requests that need a tool: schemas of many kinds, the call in DSML, results and the answer."""

from . import combine, sentence, variant
from .encoding import assistant, encode, user
from .words import CITIES, COLOURS, DAYS, ENGLISH, FRUITS, NAMES, OBJECTS, invented, several, some

VERBS = [
    "get",
    "find",
    "check",
    "order",
    "book",
    "create",
    "delete",
    "send",
    "update",
    "list",
    "open",
    "close",
    "start",
    "stop",
    "move",
    "print",
    "show",
    "add",
    "cancel",
    "search",
]
NOUNS = [
    "weather",
    "flight",
    "hotel",
    "ticket",
    "room",
    "meeting",
    "message",
    "file",
    "photo",
    "song",
    "alarm",
    "lamp",
    "heater",
    "parcel",
    "report",
    "invoice",
    "table",
    "taxi",
    "recipe",
    "book",
    "train",
    "event",
    "note",
    "price",
    "user",
    "map",
    "news",
    "report",
    "score",
    "task",
]

# name -> (JSON schema, maker of a value, phrases with {}); "eval" sees each fifth phrase only
PARAMETERS = {
    "city": (
        "string",
        lambda r: some(r, CITIES),
        ["in {}", "for {}", "for the city {}", "in the city of {}", "with city {}"],
    ),
    "location": (
        "string",
        lambda r: some(r, CITIES),
        ["in {}", "at the location {}", "for {}", "near {}", "with location {}"],
    ),
    "name": (
        "string",
        lambda r: some(r, NAMES),
        ["for {}", "with the name {}", "named {}", "under the name {}", "with name {}"],
    ),
    "recipient": (
        "string",
        lambda r: some(r, NAMES),
        [
            "to {}",
            "with {} as recipient",
            "for the recipient {}",
            "to my friend {}",
            "with recipient {}",
        ],
    ),
    "day": (
        "string",
        lambda r: r.choice(DAYS),
        ["on {}", "for {}", "for next {}", "by {}", "with day {}"],
    ),
    "color": (
        "string",
        lambda r: some(r, COLOURS),
        ["in {}", "with the color {}", "in color {}", "of {} color", "with color {}"],
    ),
    "item": (
        "string",
        lambda r: some(r, FRUITS + OBJECTS),
        ["with the item {}", "for the {}", "for item {}", "about the {}", "with item {}"],
    ),
    "title": (
        "string",
        lambda r: several(r, FRUITS + OBJECTS, 3),
        [
            "titled \"{}\"",
            "with the title \"{}\"",
            "called \"{}\"",
            "with title \"{}\"",
            "under the title \"{}\"",
        ],
    ),
    "query": (
        "string",
        lambda r: several(r, FRUITS + OBJECTS + COLOURS, 3),
        [
            "about \"{}\"",
            "for \"{}\"",
            "with the query \"{}\"",
            "matching \"{}\"",
            "with query \"{}\"",
        ],
    ),
    "unit": (
        "string",
        lambda r: r.choice(["celsius", "fahrenheit", "meters", "miles"]),
        ["in {}", "with unit {}", "using {}", "with the unit {}", "given in {}"],
    ),
    "days": (
        "integer",
        lambda r: r.randint(1, 14),
        ["for {} days", "over {} days", "for the next {} days", "with days {}", "lasting {} days"],
    ),
    "count": (
        "integer",
        lambda r: r.randint(1, 99),
        ["with count {}", "{} times", "with a count of {}", "count {}", "with the count {}"],
    ),
    "hour": (
        "integer",
        lambda r: r.randint(0, 23),
        ["at {} o'clock", "at hour {}", "for {} o'clock", "with hour {}", "starting at {} o'clock"],
    ),
    "guests": (
        "integer",
        lambda r: r.randint(1, 9),
        [
            "for {} guests",
            "with {} guests",
            "for {} people",
            "with guests {}",
            "for a group of {} guests",
        ],
    ),
    "level": (
        "integer",
        lambda r: r.randint(1, 10),
        ["at level {}", "with level {}", "on level {}", "to level {}", "with the level {}"],
    ),
    "price": (
        "number",
        lambda r: r.randint(10, 999) / 10,
        [
            "for {} dollars",
            "with price {}",
            "at a price of {}",
            "below {} dollars",
            "with the price {}",
        ],
    ),
    "urgent": (
        "boolean",
        lambda r: r.random() < 0.5,
        [
            "with urgent {}",
            "urgent {}",
            "with urgent set to {}",
            "and urgent is {}",
            "where urgent is {}",
        ],
    ),
    "tags": (
        "array",
        lambda r: r.sample(FRUITS + COLOURS, r.randint(1, 3)),
        ["with tags {}", "tagged {}", "with the tags {}", "using tags {}", "under the tags {}"],
    ),
}
GENERIC = [
    "with {p} {}",
    "with the {p} {}",
    "where {p} is {}",
    "with {p} set to {}",
    "and the {p} is {}",
    "using {p} {}",
    "with {p} = {}",
    "({p}: {})",
    "where the {p} is {}",
    "with {p} equal to {}",
    "and set {p} to {}",
    "using the {p} {}",
    "{p}: {}",
    "taking {p} {}",
    "and {p} being {}",
    "and {p} should be {}",
    "choosing {p} {}",
    "plus {p} {}",
    "where {p} equals {}",
    "and make the {p} {}",
    "with {} as {p}",
    "with {} for {p}",
    "with a {p} of {}",
    "keeping {p} at {}",
    "as for the {p}, take {}",
    "if the {p} can be {}",
    "for {p} use {}",
    "and pick {} for the {p}",
    "({} is the {p})",
    "having {} as the {p}",
]
# Wordings that no list foresees: G stands for words around a parameter and its value.
GLUED = [
    "G {p} G {}",
    "G the {p} G {}",
    "G {p} {}",
    "G the {p} {}",
    "G {} G {p}",
    "G {} G the {p}",
    "{p} G {}",
    "G the {p}, G {}",
    "G {p}: {}",
    "G, the {p} G {}",
]
HELD_OUT = "equal make being having take".split()  # stand in wordings of the other split only
GLUE = sorted(set(ENGLISH) - set(HELD_OUT + VERBS + NOUNS))
USUAL = """as at be by for from given in is like named of on set that the to use was where which
whose with""".split()
ASKS = [
    "please ",
    "can you ",
    "could you ",
    "I want you to ",
    "I would like you to ",
    "I need you to ",
    "would you ",
    "now ",
    "you should ",
    "help me and ",
    "next, ",
    "try to ",
    "",
    "go and ",
    "let us ",
]
WEATHER = [
    "what is the weather",
    "what's the weather",
    "how is the weather",
    "tell me the weather",
    "what will the weather be",
    "what is the weather like",
    "give me the weather",
    "show me the weather",
    "weather",
    "I need the weather",
    "do you know the weather",
    "what's the weather like",
]
DESCRIPTIONS = {
    "city": "The name of the city",
    "location": "The city, e.g. Paris",
    "days": "How many days",
    "hour": "The hour of the day",
}


def glue(rng):
    one = lambda: invented(rng) if rng.random() < 0.03 else rng.choice(rng.choice([GLUE, USUAL]))
    return " ".join(one() for _ in range(rng.choice([1, 1, 2, 2, 3])))


class Tool:
    def __init__(self, rng, taken):
        while True:
            self.verb, self.noun = rng.choice(VERBS), some(rng, NOUNS, 0.1)
            if (self.verb, self.noun) not in taken:
                break
        taken.add((self.verb, self.noun))
        self.name = rng.choice([f"{self.verb}_{self.noun}"] * 4 + [self.verb + self.noun.title()])
        names = rng.sample(list(PARAMETERS), rng.choice([0, 1, 1, 2, 2, 3]))
        if self.noun == "weather" and rng.random() < 0.7:
            names = (
                ["city"]
                if rng.random() < 0.5
                else rng.choice([["location"], ["city", "days"], ["location", "unit"]])
            )
        self.parameters = names

    def schema(self, rng):
        properties = {}
        for name in self.parameters:
            kind = PARAMETERS[name][0]
            properties[name] = {"type": kind}
            if kind == "array":
                properties[name]["items"] = {"type": "string"}
            if rng.random() < 0.4:
                properties[name]["description"] = DESCRIPTIONS.get(name, f"The {name}")
        out = {"name": self.name}
        if rng.random() < 0.8:
            out["description"] = rng.choice(
                [
                    f"{self.verb.title()} the {self.noun}.",
                    f"{self.verb.title()} {self.noun}",
                    f"A tool to {self.verb} the {self.noun}.",
                ]
            )
        out["parameters"] = {"type": "object", "properties": properties}
        if rng.random() < 0.7:
            out["parameters"]["required"] = list(self.parameters)
        return out

    def wish(self, rng, split):
        """-> (phrase for the user's request, arguments in the order of the schema)."""
        arguments = {p: PARAMETERS[p][1](rng) for p in self.parameters}
        parts = []
        for p, value in arguments.items():
            shown = str(value).lower() if isinstance(value, bool) else value
            shown = ", ".join(value) if isinstance(value, list) else shown
            form = variant(rng, PARAMETERS[p][2] + GENERIC, split)
            if split == "train" and rng.random() < 0.6:
                form = "".join(glue(rng) if c == "G" else c for c in rng.choice(GLUED))
            parts.append(form.format(shown, p=p))
        start = f"{self.verb} {rng.choice(['the', 'the', 'a', 'my', 'this'])} {self.noun}"
        return " ".join([start] + parts), arguments


def ask_weather(rng, tool, arguments, split):
    place = arguments.get("city") or arguments["location"]
    days = f" for the next {arguments['days']} days" if "days" in arguments else ""
    unit = f" in {arguments['unit']}" if "unit" in arguments else ""
    ask = combine(
        rng, split, WEATHER, [" in ", " for ", " at "], ["{place}{days}{unit}"], ["?", "."]
    )
    return sentence(ask, place=place, days=days, unit=unit)


def request(rng, tool, split):
    phrase, arguments = tool.wish(rng, split)
    if tool.noun == "weather" and set(arguments) & {"city", "location"}:
        if set(arguments) <= {"city", "location", "days", "unit"} and rng.random() < 0.7:
            return ask_weather(rng, tool, arguments, split), arguments
    return sentence(combine(rng, split, ASKS, ["{phrase}"], [".", "?"]), phrase=phrase), arguments


def result(rng):
    """-> (tool's text, sentence about it)."""
    kind = rng.randrange(4)
    if kind == 0:
        value = rng.choice(["sunny", "rainy", "cloudy", "done", "ok", "closed", "open", "full"])
        return value, f"The result is: {value}."
    if kind == 1:
        n = rng.randint(1, 999)
        return str(n), f"The result is: {n}."
    if kind == 2:
        n = rng.randint(1, 40)
        word = rng.choice(["temperature", "total", "id", "number"])
        return f'{{"{word}": {n}}}', f"The {word} is {n}."
    word = rng.choice(FRUITS + OBJECTS)
    return word, f"The result is: {word}."


def conversation(rng, split):
    """-> messages, tools; one request, or two in one turn, or none that needs a tool."""
    taken = set()
    tools = [Tool(rng, taken) for _ in range(rng.choice([1, 1, 2, 2, 3, 4]))]
    schemas = [t.schema(rng) for t in tools]
    messages = []
    if rng.random() < 0.4:
        messages.append(
            {
                "role": "system",
                "content": rng.choice(
                    ["You are a helpful assistant.", "Be brief.", "Use the tools."]
                ),
            }
        )
    for _ in range(rng.choice([1, 1, 1, 2])):
        if rng.random() < 0.1:
            messages += [
                user(rng.choice(["Hi", "Hello", "Hello!"])),
                assistant("Hello! How can I help you?", "No tool is needed."),
            ]
            continue
        chosen = [rng.choice(tools)]
        ask, arguments = request(rng, chosen[0], split)
        calls = [(chosen[0].name, arguments)]
        if rng.random() < 0.15:
            other = rng.choice(tools)
            phrase, arguments = other.wish(rng, split)
            ask = ask.rstrip(".?") + f", and {phrase}."
            calls.append((other.name, arguments))
        names = " and ".join(name for name, _ in calls)
        messages += [user(ask), assistant("", f"I should call {names}.", calls)]
        answers = [result(rng) for _ in calls]
        messages.append({"role": "tool", "results": [a for a, _ in answers]})
        messages.append(assistant(" ".join(b for _, b in answers), "I have the result."))
    return messages, schemas


def document(rng, split="train"):
    messages, schemas = conversation(rng, split)
    return encode(messages, rng.random() < 0.25, schemas, weight=0.03)


def question(rng, split="eval"):
    """-> messages up to the first call, schemas, the message with the expected call."""
    while True:
        messages, schemas = conversation(rng, split)
        at = next((i for i, m in enumerate(messages) if m.get("calls")), None)
        if at is not None:
            return messages[:at], schemas, messages[at]


def item(rng, split="eval"):
    """-> prompt, the expected DSML block after the leading blank line, with the end token."""
    messages, schemas, answer = question(rng, split)
    segments = encode([*messages, answer], False, schemas)
    return "".join(t for t, _ in segments[:-1]), segments[-1][0]
