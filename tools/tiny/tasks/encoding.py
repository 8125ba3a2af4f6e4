"""DeepSeek-V3.2's chat encoding: messages to the exact prompt text, tool calls to DSML."""

import json

BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
USER, ASSISTANT, DSML = "<｜User｜>", "<｜Assistant｜>", "｜DSML｜"
PROMPT_WEIGHT = 0.1

TOOLS = f"""## Tools

You have access to a set of tools you can use to answer the user's question.
You can invoke functions by writing a "<{DSML}function_calls>" block like the following as part of \
your reply to the user:
<{DSML}function_calls>
<{DSML}invoke name="$FUNCTION_NAME">
<{DSML}parameter name="$PARAMETER_NAME" string="true|false">$PARAMETER_VALUE</{DSML}parameter>
...
</{DSML}invoke>
<{DSML}invoke name="$FUNCTION_NAME2">
...
</{DSML}invoke>
</{DSML}function_calls>

String and scalar parameters should be specified as is without any escaping or quotes, while lists \
and objects should use JSON format. The "string" attribute should be set to "true" for string type \
parameters and "false" for other types (numbers, booleans, arrays, objects).

If the thinking_mode is enabled, then after function results you should strongly consider \
outputting \
a thinking block. Here is an example:

<{DSML}function_calls>
...
</{DSML}function_calls>

<function_results>
...
</function_results>

<think>...thinking about results</think>

Here are the functions available in JSONSchema format:
<functions>
"""


def to_json(value):
    return json.dumps(value, ensure_ascii=False)


def tools_text(tools):
    return TOOLS + "".join(to_json(t) + "\n" for t in tools) + "</functions>\n"


def calls_text(calls):
    """calls: [(name, arguments)] -> the DSML block."""
    parts = [f"<{DSML}function_calls>"]
    for name, arguments in calls:
        parts.append(f'<{DSML}invoke name="{name}">')
        lines = []
        for key, value in arguments.items():
            kind, text = ("true", value) if isinstance(value, str) else ("false", to_json(value))
            lines.append(f'<{DSML}parameter name="{key}" string="{kind}">{text}</{DSML}parameter>')
        parts += ["\n".join(lines), f"</{DSML}invoke>"]
    return "\n".join(parts + [f"</{DSML}function_calls>"])


def encode(messages, thinking, tools=None, weight=PROMPT_WEIGHT):
    """-> segments [(text, weight)]; what the assistant writes has weight 1."""
    last = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
    messages = list(messages)
    system = messages.pop(0)["content"] if messages[0]["role"] == "system" else ""
    last -= 1 if system else 0
    prompt = BOS + system + (f"\n\n{tools_text(tools)}" if tools else "")
    out = []
    for i, m in enumerate(messages):
        think = "<think>" if thinking and i >= last else "</think>"
        if m["role"] == "user":
            prompt += USER + m["content"] + ASSISTANT + think
        elif m["role"] == "tool":
            prompt += "\n\n<function_results>"
            prompt += "".join(f"\n<result>{r}</result>" for r in m["results"])
            prompt += "\n</function_results>\n\n" + think
        else:
            text = m["reasoning"] + "</think>" if thinking and i > last else ""
            text += m.get("content", "")
            if m.get("calls"):
                text += "\n\n" + calls_text(m["calls"])
            out += [(prompt, weight), (text + EOS, 1.0)]
            prompt = ""
    return out + ([(prompt, weight)] if prompt else [])


def user(content):
    return {"role": "user", "content": content}


def assistant(content, reasoning="", calls=None):
    return {"role": "assistant", "content": content, "reasoning": reasoning, "calls": calls}
