#!/usr/bin/env python3
"""Random conversations and the prompts that DeepSeek-V3.2's own encoder writes for them.

make_chat_vectors.py ENCODING_DSV32_PY GOLDEN_CHAT_FOLDER OUT.jsonl [--count N]

ENCODING_DSV32_PY is encoding/encoding_dsv32.py of the checkpoint, or a copy of it; where the copy
has lost the empty lines of the text about tools, they are taken from the folder's test_output.txt.
A line holds messages, tools, thinking, style and the text, in which «TOOLS» stands for the lines up
to <functions>; or "error": true, where the encoder refuses.
"""

import argparse, copy, importlib.util, json, pathlib, random

WORDS = [
    "Oslo", "weather", "1+1=?", " ", "\n", "\n\n", "é", "天气", "😀", "a<b", "</result>",
    "\"quoted\"", "back\\slash", "\t", "<｜User｜>", "</think>", "<think>",
    "｜DSML｜", "<｜end▁of▁sentence｜>", "x" * 40,
    "{\"a\": 1}", "'s", "\u0001", "\u00a0", "<｜", "｜>", "2>&1", "end.",
]  # fmt: skip
JSON_TEXTS = [
    "1e2", "1.0", "-0", "-0.0", "1E-7", "12345678901234567890123", "true", "null", "[]", "{}",
    "\"\\u00e9\\n\\\"\"",
    "[1,2.50,{\"k\":[null]}]",
    "{\"b\":1,\"a\":\"\\/x\"}", "\"\"", "\"Oslo\"", "0.1",
    "{\"d\":1,\"e\":2,\"d\":3}", "\"a\\u0000b\"", "1e16", "123456789.125",
]  # fmt: skip
NAMES = ["get_weather", "search", "run", "list_files", "名前", "f-1.x"]


class Maker:
    def __init__(self, seed):
        self.rng = random.Random(seed)

    def text(self, most=6):
        return "".join(self.rng.choice(WORDS) for _ in range(self.rng.randint(0, most)))

    def value(self, depth=0):
        kind = self.rng.randrange(8 if depth < 3 else 6)
        if kind == 6:
            return [self.value(depth + 1) for _ in range(self.rng.randint(0, 3))]
        if kind == 7:
            return {self.text(2): self.value(depth + 1) for _ in range(self.rng.randint(0, 3))}
        return [
            self.text(3),
            self.rng.randint(-9, 9**9),
            self.rng.random() * 1e6,
            True,
            None,
            1.0,
        ][kind]

    def function(self):
        function = {"name": self.rng.choice(NAMES)}
        if self.rng.random() < 0.8:
            function["description"] = self.text(3)
        if self.rng.random() < 0.9:
            function["parameters"] = {
                "type": "object",
                "properties": {self.text(1) or "p": self.value()},
            }
        if self.rng.random() < 0.2:
            function["strict"] = True
        return {"type": "function", "function": function}

    def tools(self):
        return [self.function() for _ in range(self.rng.randint(1, 3))]

    def arguments(self):
        count = self.rng.choice([0, 1, 1, 2, 3])
        members = [
            f"{json.dumps(self.text(1) or 'k')}:{self.rng.choice(JSON_TEXTS)}" for _ in range(count)
        ]
        return "{" + ",".join(members) + "}"

    def call(self, n):
        function = {"name": self.rng.choice(NAMES), "arguments": self.arguments()}
        return {"id": f"call_{n}", "type": "function", "function": function}

    def turn(self, messages, developers):
        role = "developer" if developers and self.rng.random() < 0.3 else "user"
        asked = {"role": role, "content": self.text()}
        if role == "developer":
            if self.rng.random() < 0.5:
                asked["tools"] = self.tools()
            if self.rng.random() < 0.4:
                asked["response_format"] = {"type": "object", "x": self.value()}
        messages.append(asked)
        for _ in range(self.rng.choice([0, 0, 1, 2])):
            reply = {"role": "assistant", "content": self.text(3)}
            if self.rng.random() < 0.7:
                reply["reasoning_content"] = self.text(3)
            calls = [self.call(n) for n in range(self.rng.randint(1, 3))]
            messages.append({**reply, "tool_calls": calls})
            order = list(calls)
            for call in order:
                messages.append(
                    {"role": "tool", "tool_call_id": call["id"], "content": self.text(3)}
                )
            if self.rng.random() < 0.03:
                messages.append(
                    {"role": "tool", "tool_call_id": "call_0", "content": "one too many"}
                )
        if self.rng.random() < 0.75:
            reply = {"role": "assistant", "content": self.text()}
            if self.rng.random() < 0.7:
                reply["reasoning_content"] = self.text(3)
            messages.append(reply)

    def conversation(self):
        messages = []
        developers = self.rng.random() < 0.4
        if self.rng.random() < 0.6:
            first = {"role": "system", "content": self.text()}
            if self.rng.random() < 0.2:
                first["tools"] = self.tools()
            if self.rng.random() < 0.2:
                first["response_format"] = {"type": "object"}
            messages.append(first)
        for _ in range(self.rng.randint(1, 3)):
            self.turn(messages, developers)
            if self.rng.random() < 0.1:
                messages.append({"role": "system", "content": self.text()})
        while messages[-1]["role"] == "assistant" and self.rng.random() < 0.6:
            messages.pop()
        row = {"messages": messages, "thinking": self.rng.random() < 0.5}
        row["style"] = self.rng.choice(["official", "official", "vllm"])
        if self.rng.random() < 0.5:
            row["tools"] = self.tools()
        return row


def prompt_of(encoder, row, templates):
    messages = copy.deepcopy(row["messages"])
    tools = row.get("tools")
    if tools and row["style"] == "vllm":
        messages.insert(0, {"role": "system", "content": "", "tools": tools})
    elif tools:
        if messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": ""})
        messages[0]["tools"] = messages[0].get("tools", []) + tools
    encoder.TOOLS_SYSTEM_TEMPLATE = templates[row["style"]]
    # Without drop_thinking: it loses developer messages, and drops what is not written anyway.
    mode = "thinking" if row["thinking"] else "chat"
    return encoder.encode_messages(messages, thinking_mode=mode, drop_thinking=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder", type=pathlib.Path)
    parser.add_argument("golden", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    spec = importlib.util.spec_from_file_location("encoding_dsv32", args.encoder)
    encoder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(encoder)

    output = (args.golden / "test_output.txt").read_text(encoding="utf-8")
    begin = output[output.index("## Tools") : output.index("<functions>\n") + len("<functions>\n")]
    without = "".join(line + "\n" for line in begin.split("\n") if line)
    templates = {}
    for style, text in {"official": begin, "vllm": without}.items():
        templates[style] = (
            text.replace("{", "{{").replace("}", "}}") + "{tool_schemas}\n</functions>\n"
        )

    goldens = json.loads((args.golden / "test_input.json").read_text(encoding="utf-8"))
    goldens["messages"][0]["tools"] = goldens.pop("tools")
    encoder.TOOLS_SYSTEM_TEMPLATE = templates["official"]
    assert encoder.encode_messages(goldens["messages"], thinking_mode="thinking") == output.rstrip(
        "\n"
    )

    with args.out.open("w", encoding="utf-8") as out:
        for i in range(args.count):
            row = Maker(20251201 + i).conversation()
            try:
                text = prompt_of(encoder, row, templates)
                row["text"] = text.replace(begin, "«TOOLS»").replace(without, "«TOOLS»")
            except Exception as refused:  # Its own kind, that differs among copies.
                assert not isinstance(refused, (KeyError, NameError)), refused
                row["error"] = True
            out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
