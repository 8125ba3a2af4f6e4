"""Replies as DeepSeek-V3.2 writes them, and prompts as its encoder does: the examples of §4.4 and
§5.4, put together here by hand from the rules, not by code of the server."""
import json

BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Look up the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"},
                                                    "days": {"type": "integer"}},
                   "required": ["city"]}}}
# Held to its schema while decoding, it leaves any model one thing to say.
WEATHER_IN_OSLO = {"type": "function", "function": {
    "name": "get_weather", "description": "Look up the weather.", "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": ["Oslo"]}},
                   "required": ["city"], "additionalProperties": False}}}

TOOLS = """## Tools

You have access to a set of tools you can use to answer the user's question.
You can invoke functions by writing a "<｜DSML｜function_calls>" block like the following as part of \
your reply to the user:
<｜DSML｜function_calls>
<｜DSML｜invoke name="$FUNCTION_NAME">
<｜DSML｜parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</｜DSML｜parameter>
...
</｜DSML｜invoke>
<｜DSML｜invoke name="$FUNCTION_NAME2">
...
</｜DSML｜invoke>
</｜DSML｜function_calls>

String and scalar parameters should be specified as is without any escaping or quotes, while lists \
and objects should use JSON format. The "string" attribute should be set to "true" for string type \
parameters and "false" for other types (numbers, booleans, arrays, objects).

If the thinking_mode is enabled, then after function results you should strongly consider \
outputting a thinking block. Here is an example:

<｜DSML｜function_calls>
...
</｜DSML｜function_calls>

<function_results>
...
</function_results>

<think>...thinking about results</think>

Here are the functions available in JSONSchema format:
<functions>
%s
</functions>
"""
TOOLS_OF_WEATHER = TOOLS % json.dumps(WEATHER["function"], ensure_ascii=False)


def block(*calls):
    """The DSML text of calls, each (name, {key: value}); a str value is written raw."""
    lines = ["<｜DSML｜function_calls>"]
    for name, arguments in calls:
        lines.append(f'<｜DSML｜invoke name="{name}">')
        for key, value in arguments.items():
            raw = isinstance(value, str)
            text = value if raw else json.dumps(value, ensure_ascii=False)
            lines.append(f'<｜DSML｜parameter name="{key}" string="{"true" if raw else "false"}">'
                         f"{text}</｜DSML｜parameter>")
        if not arguments:
            lines.append("")
        lines.append("</｜DSML｜invoke>")
    return "\n".join([*lines, "</｜DSML｜function_calls>"])


def called(id, name, arguments):
    """A call as it stands in the history."""
    return {"id": id, "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}}


def result(id, text):
    return {"role": "tool", "tool_call_id": id, "content": text}


OSLO, BERGEN = ({"city": city, "days": 2} for city in ("Oslo", "Bergen"))
LOOP = [{"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Oslo and Bergen, 2 days?"},
        {"role": "assistant", "content": None, "reasoning": "Two lookups.",
         "tool_calls": [called("call_1", "get_weather", OSLO),
                        called("call_2", "get_weather", BERGEN)]},
        result("call_1", "rain"), result("call_2", "sun")]


def loop_prompt(thinking):
    """Example E."""
    begin, end = "</think>", "</think>"
    if thinking:
        begin, end = "<think>Two lookups.</think>", "<think>"
    return (f"{BOS}Be brief.\n\n{TOOLS_OF_WEATHER}{USER}Oslo and Bergen, 2 days?{ASSISTANT}{begin}"
            f"\n\n{block(('get_weather', OSLO), ('get_weather', BERGEN))}{EOS}"
            "\n\n<function_results>\n<result>rain</result>\n<result>sun</result>\n"
            f"</function_results>\n\n{end}")
