"""Functions to call: whether the calls are sound, and whether they are those that were wanted."""
import json

import items
import jsonschema

WELL_FORMED, CORRECT = "tool calls, well-formed", "tool calls, correct"


def tools_of(schemas):
    return [{"type": "function", "function": schema} for schema in schemas]


def messages_of(messages):
    """The generator's messages as the API has them."""
    return [{"role": m["role"], "content": m["content"]} for m in messages]


def ask(asked, item):
    messages, schemas, _ = item
    return asked.chat(messages_of(messages), tools=tools_of(schemas), max_tokens=256)


def calls_of(choice):
    """-> [(name, arguments as text)]."""
    return [(c.function.name, c.function.arguments) for c in choice.message.tool_calls or []]


def well_formed(choice, schemas):
    known = {schema["name"]: schema["parameters"] for schema in schemas}
    try:
        for name, arguments in calls_of(choice):
            jsonschema.validate(json.loads(arguments), known[name])
    except (ValueError, KeyError, jsonschema.ValidationError):
        return False
    return choice.finish_reason == "tool_calls"


def correct(choice, wanted):
    try:
        return [(name, json.loads(arguments)) for name, arguments in calls_of(choice)] == wanted
    except ValueError:
        return False


def measure(asked, report, count):
    made = items.requests(count)
    replies = asked.each(lambda item: ask(asked, item), made)
    sound, right = [], []
    for (messages, schemas, answer), choice in zip(made, replies):
        got = [choice.finish_reason, choice.message.content, calls_of(choice)]
        told = [messages[-1]["content"], schemas], got, answer["calls"]
        sound.append((well_formed(choice, schemas), *told))
        right.append((correct(choice, answer["calls"]), *told))
    report.share(WELL_FORMED, sound)
    report.share(CORRECT, right)
