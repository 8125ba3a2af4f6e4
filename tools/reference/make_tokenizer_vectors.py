#!/usr/bin/env python3
"""Token ids of tricky strings, by Hugging Face's `tokenizers`, and the tiny model's tokenizer.

make_tokenizer_vectors.py v32 V3_TOKENIZER_JSON OUT.json       V3's with V3.2's three added tokens
make_tokenizer_vectors.py small V3_TOKENIZER_JSON OUT.json     its first tokens, 512 in all
make_tokenizer_vectors.py vectors TOKENIZER_JSON OUT.jsonl [--salt N --count N]
"""

import argparse, json, random, sys
from tokenizers import Tokenizer

V32_TOKENS = {
    128793: ("｜DSML｜", True),
    128798: ("<think>", False),
    128799: ("</think>", False),
}  # id: (text, special)
BOS, EOS, PAD = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>"
USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"


def v32(source, target):
    t = json.load(open(source, encoding="utf-8"))
    for token in t["added_tokens"]:
        if token["id"] in V32_TOKENS:
            token["content"], token["special"] = V32_TOKENS[token["id"]]
            token["normalized"] = not token[
                "special"
            ]  # as R1 and V3.1 have it; without effect here
    have = {token["id"] for token in t["added_tokens"]}
    for i, (text, special) in V32_TOKENS.items():
        if i not in have:
            t["added_tokens"].append(
                {
                    "id": i,
                    "content": text,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": special,
                }
            )
    t["added_tokens"].sort(key=lambda token: token["id"])
    vocab = t["model"]["vocab"]
    for text in [k for k, i in vocab.items() if i in V32_TOKENS]:
        vocab[V32_TOKENS[vocab[text]][0]] = vocab.pop(text)
    json.dump(t, open(target, "w", encoding="utf-8"), ensure_ascii=False)


def small(source, target, size=512):
    """ids 0..2 special, 3..258 bytes, then merges in V3's order, and the chat tokens at the end."""
    t = json.load(open(source, encoding="utf-8"))
    extra = [
        (USER, True),
        (ASSISTANT, True),
        ("｜DSML｜", True),
        ("<think>", False),
        ("</think>", False),
    ]
    keep = size - len(extra)
    vocab = {k: i for k, i in t["model"]["vocab"].items() if i < keep}
    pair = lambda m: tuple(m.split(" ")) if isinstance(m, str) else tuple(m)
    t["model"]["vocab"] = vocab
    t["model"]["merges"] = [
        m
        for m in t["model"]["merges"]
        if "".join(pair(m)) in vocab and all(p in vocab for p in pair(m))
    ]
    first = [token for token in t["added_tokens"] if token["id"] < 3]
    t["added_tokens"] = first + [
        {
            "id": keep + n,
            "content": text,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": special,
        }
        for n, (text, special) in enumerate(extra)
    ]
    json.dump(t, open(target, "w", encoding="utf-8"), ensure_ascii=False, indent=0)


def texts(salt, count):
    rnd = random.Random(salt)
    out = [
        "",
        " ",
        "  ",
        "a",
        " a",
        "a ",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\t",
        "\0",
        "a\0b",
        "\x01\x02\x1b[31m",
        "\x7f",
        "\u0085",
        "\u00a0",
        "\u2028",
        "\u2029",
        "\u200b",
        "\ufeff",
        "\ufeffBOM",
        "\ufffd",
        "\U0010ffff",
        "\ue000",
    ]
    out += (
        [" " * n for n in (3, 4, 7, 8, 15, 16, 31, 64, 127, 128, 129)]
        + ["\n" * n for n in (3, 4, 7, 16, 33)]
        + ["\t" * n for n in (2, 3, 4, 8)]
    )
    out += [
        " \n",
        "\n ",
        " \n ",
        "a \n b",
        "a\n\n b",
        "  a",
        "   a",
        "a  b",
        "a   b",
        "a\t\tb",
        " \t \n",
        "x \r\n y",
        "\r\n\r\n",
        "\n\r",
        "a\r\nb\r\n",
        "end   ",
        "end\n",
        "end \n\n ",
        "\u3000全角",
        "a\u3000b",
        "a\u00a0b",
        "\u2003em",
        "\u202fx",
    ]
    out += (
        ["1" * n for n in range(1, 11)]
        + [" " + "1234567"[:n] for n in range(1, 8)]
        + [
            "0",
            "007",
            "3.14159",
            "1,234,567.89",
            "-1",
            "+1",
            "1e10",
            "0x1F",
            "12:34:56",
            "2025-12-01",
            "１２３４",
            "٣٤٥٦",
            "१२३४",
            "½¾",
            "²³",
            "Ⅷ",
            "①②",
            "1a2b3c",
            "a1b22c333d4444",
            "v1.2.3",
            "192.168.0.1",
            "1 2 3",
            "12 345 6789",
            "100%",
            "$100",
            "№5",
            "9" * 100,
            "1" * 1000,
        ]
    )
    out += [
        "Hello, world!",
        "hello",
        " hello",
        "Hello",
        "HELLO",
        "hELLO",
        "don't",
        "I'm",
        "you're",
        "we'll",
        "I'd",
        "they've",
        "it's",
        "'s",
        "'S",
        "DON'T",
        "’s",
        "o'clock",
        "rock'n'roll",
        "The quick brown fox jumps over the lazy dog.",
        "naïve café résumé",
        "co-operate",
        "e.g.",
        "...",
        "....",
        "!?",
        "!!!",
        "?!?!",
        "—",
        "–",
        "-",
        "--",
        "---",
        "_",
        "__init__",
        "snake_case",
        "camelCase",
        "PascalCase",
        "kebab-case",
        "SCREAMING_CASE",
        "#",
        "##",
        "###",
        "# Title",
        "**bold**",
        "*",
        "**",
        "`code`",
        "```python\nprint(1)\n```",
        "~/path/to/file",
        "C:\\Windows\\System32",
        "https://example.com/a?b=c&d=e#f",
        "user@example.com",
        "a/b/c",
        "a.b.c",
        "(a)",
        "[a]",
        "{a}",
        "<a>",
        "</a>",
        "<|a|>",
        "&amp;",
        "@user",
        "a&b",
        "a|b",
        "a^b",
        "~",
        "`",
        "\\",
        "\\n",
        '"',
        "''",
        '"""',
        "“quoted”",
        "«x»",
        "„x“",
        "…",
        "·",
        "•",
        "→",
        "≠",
        "∑∫",
        "α+β=γ",
        "x²+y²",
        "°C",
        "™®©",
        "€£¥",
    ]
    out += [
        "你好",
        "你好，世界！",
        "深度求索",
        "中文 English 混合",
        "中文123中文",
        "汉字かな交じり文",
        "こんにちは世界",
        "カタカナ",
        "ｶﾀｶﾅ",
        "안녕하세요",
        "한국어 텍스트",
        "繁體中文",
        "「引用」",
        "。",
        "，",
        "！？",
        "一二三四五",
        "𠀀𠀁𠮷",
        "㐀",
        "〇",
        "中",
        " 中",
        "中 文",
        "。\n",
        "你好\n\n世界",
        "他说：“你好。”",
        "ﬁﬂ",
        "Привет, мир!",
        "Ελληνικά",
        "עברית",
        "שלום עולם",
        "العربية",
        "مرحبا بالعالم",
        "‏RTL‎mix",
        "فارسی ۱۲۳",
        "हिन्दी",
        "नमस्ते दुनिया",
        "ภาษาไทย",
        "สวัสดีชาวโลก",
        "தமிழ்",
        "বাংলা",
        "ქართული",
        "Հայերեն",
        "አማርኛ",
        "ខ្មែរ",
        "မြန်မာ",
        "Tiếng Việt có dấu",
        "Türkçe İıĞğ",
        "Straße ß ẞ",
        "Ångström",
        "A\u030angstro\u0308m",
        "e\u0301",
        "é",
        "n\u0303",
        "\u0301",
        " \u0301",
        "a\u0300\u0301\u0302\u0303",
        "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
        "각",
        "\u1100\u1161\u11a8",
        "ﷺ",
        "ा",
        "क्षि",
    ]
    out += [
        "😀",
        "😀😀",
        "👍🏽",
        "👨‍👩‍👧‍👦",
        "🏳️‍🌈",
        "🇳🇴",
        "🇳🇴🇸🇪",
        "❤️",
        "☺",
        "☺️",
        "1️⃣",
        "#️⃣",
        "👩🏾‍💻",
        "a😀b",
        " 😀",
        "😀 ",
        "🤷‍♂️",
        "🫠",
        "🥹",
        "\u200d",
        "\ufe0f",
        "♠♣♥♦",
        "♪",
        "✓✔",
        "𝕳𝖊𝖑𝖑𝖔",
        "𝟘𝟙𝟚",
        "ⓐⓑ",
        "🀄",
        "🎉 party",
    ]
    out += [
        "def f(x):\n    return x * 2\n",
        "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}\n",
        "if (a && b || !c) { return a->b; }",
        "x = {'a': 1, \"b\": [2, 3.0, None]}",
        "SELECT * FROM t WHERE id = 42;",
        "#include <vector>\n#define X(a) #a\n",
        "let f = |x| x + 1;",
        "fn main() -> Result<(), Box<dyn Error>> {",
        '{"key": "value", "n": [1,2,3], "t": true, "u": "\\u00e9"}',
        '<html>\n  <body class="x">\n    <p>Hi</p>\n  </body>\n</html>',
        "        eight spaces",
        "\t\ttabs",
        "    if x:\n        y\n\n\n    else:\n",
        "a=b+c*d/e%f",
        "i++;j--;",
        "a::b::c",
        "std::vector<std::vector<int>>",
        "()=>{}",
        "$(foo) ${bar}",
        "`date +%s`",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "\\frac{a}{b} $x^2$",
        "^\\s*(\\d+)[a-z]+$",
        "0b1010",
        "0xDEADBEEF",
        "a;b;c",
        "//comment",
        "/* c */",
        "<!-- c -->",
        "%d %s\\n",
        "\\x00\\xff",
        "import os, sys",
        'git commit -m "fix: x"',
        "[link](http://a.b)",
        "- a\n- b\n  - c\n",
        "1. a\n2. b\n",
    ]
    out += [
        BOS,
        EOS,
        BOS + "Hi" + EOS,
        USER + "Hi" + ASSISTANT,
        BOS + "Be brief." + USER + "Hi" + ASSISTANT + "<think>",
        ASSISTANT + "</think>",
        "<think>a</think>b",
        "text" + BOS + "text",
        "a " + EOS + " b",
        "a\n" + USER + "\nb",
        EOS * 3,
        "<｜User｜",
        "｜User｜>",
        "<|User|>",
        "<｜user｜>",
        "<think",
        "think>",
        "< think >",
        "<THINK>",
        "</think></think>",
        "｜DSML｜",
        '<｜DSML｜invoke name="f">',
        "</｜DSML｜invoke>",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get">\n'
        '<｜DSML｜parameter name="q" string="true">x y</｜DSML｜parameter>\n'
        "</｜DSML｜invoke>\n</｜DSML｜function_calls>",
        "｜",
        "▁",
        "a▁b",
        "<｜",
        "｜>",
        "<｜▁pad▁｜>",
        "<｜fim▁hole｜><｜fim▁begin｜><｜fim▁end｜>",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>x"
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "<｜place▁holder▁no▁0｜>",
        "<｜place▁holder▁no▁793｜>",
        "<｜place▁holder▁no▁798｜>",
        "<｜place▁holder▁no▁799｜>",
        "<|EOT|>",
        "<|endoftext|>",
        "<s>",
        "</s>",
        "[INST]",
        " " + USER + " ",
        USER + " " + ASSISTANT,
        USER + "\n" + ASSISTANT + "\n",
    ]
    # bytes that are not UTF-8, decoded with U+FFFD as a server must do before it tokenizes
    out += [
        b.decode("utf-8", "replace")
        for b in (
            b"\xff",
            b"\xc3",
            b"a\xc3b",
            b"\xe4\xbd",
            b"\xf0\x9f\x98",
            b"\xed\xa0\x80",
            b"\xc0\x80",
            b"\xf5\x80\x80\x80",
            b"ok \x80\x81 ok",
            b"\xe4\xbd\xa0\xe5\xa5",
        )
    ]
    out += ["a" * n for n in (10, 100, 1000)] + [
        "ab" * 500,
        "abc" * 333,
        "A" * 257,
        "x" * 100_000,
        "的" * 1000,
        "😀" * 100,
        "é" * 300,
        "." * 500,
        "=" * 80,
        "-" * 1000,
        "\u0301" * 50,
        "hello" * 200,
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
        "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
        "lopadotemachoselachogaleokranioleipsanodrimhypotrimmatosilphiokarabomelitokatakechymeno"
        "kichlepikossyphophattoperisteralektryonoptekephalliokigklopeleiolagoiosiraiobaphetraganop"
        "terygon",
    ]
    if count and len(out) < count:
        alphabets = [
            "abcdefghijklmnopqrstuvwxyz",
            "ABCdef 123",
            " \n\t",
            "0123456789",
            "的一是在不了有和人这",
            "αβγдежз",
            "!?.,;:'\"-()[]{}",
            "😀👍🏽❤️",
            "\u0301\u200d\ufe0f",
            "あいうカキク",
            "אבג عرب",
            "한글텍스트",
        ]
        while len(out) < count:
            parts = [rnd.choice(alphabets) for _ in range(rnd.randint(1, 5))]
            out.append("".join(rnd.choice(rnd.choice(parts)) for _ in range(rnd.randint(1, 60))))
    return out


def hidden_texts(salt, count):
    """Other strings than texts(): words and pieces mixed at random, with odd borders."""
    rnd = random.Random(salt)
    pieces = [
        "the",
        " of",
        "Zürich",
        "东京",
        "数据",
        "の",
        "ます",
        "данные",
        "مدينة",
        "שלום",
        "ไทย",
        "한국",
        "'ve",
        "'LL",
        "42",
        "1000",
        "31415926",
        " ",
        "  ",
        "    ",
        "\n",
        "\n\n",
        "\r\n",
        "\t",
        "\u00a0",
        "\u3000",
        ".",
        "...",
        "?!",
        "://",
        "->",
        "::",
        "{",
        "}",
        "[]",
        "\\",
        '"',
        "_",
        "#",
        "😀",
        "👩‍🚀",
        "🇫🇷",
        "e\u0301",
        "\u0308",
        "\u200b",
        "\ufeff",
        "\0",
        "½",
        "𝔘",
        "𠮷",
        USER,
        ASSISTANT,
        "<think>",
        "</think>",
        "｜DSML｜",
        EOS,
        "<｜",
        "｜>",
        "return",
        "int",
        "==",
        "0x7f",
        "ß",
        "İ",
        "ǅ",
        "ﬀ",
    ]
    return ["".join(rnd.choice(pieces) for _ in range(rnd.randint(1, 24))) for _ in range(count)]


def vectors(tokenizer_json, target, strings):
    t = Tokenizer.from_file(tokenizer_json)
    with open(target, "w", encoding="utf-8") as f:
        for n, text in enumerate(strings):
            ids = t.encode(text, add_special_tokens=False).ids
            long = len(text) > 2000 and len(set(text)) == 1
            row = {"n": n, **({"repeat": [text[0], len(text)]} if long else {"text": text})}
            if (
                long and len(ids) > 64
            ):  # ids of a long run: the same id over and over, written as [id, count]
                runs = []
                for i in ids:
                    if runs and runs[-1][0] == i:
                        runs[-1][1] += 1
                    else:
                        runs.append([i, 1])
                row["id_runs"] = runs
            else:
                row["ids"] = ids
            for key, skip in (("decoded", False), ("decoded_skip_special", True)):
                d = t.decode(ids, skip_special_tokens=skip)
                if d != text:
                    row[key] = d  # left out where it equals the text
            f.write(json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("what", choices=["v32", "small", "vectors"])
    p.add_argument("source")
    p.add_argument("target")
    p.add_argument("--salt", type=int, default=1)
    p.add_argument("--count", type=int, default=480)
    p.add_argument("--mixed", action="store_true", help="random mixtures instead of the list")
    a = p.parse_args()
    if a.what == "vectors":
        vectors(
            a.source, a.target, hidden_texts(a.salt, a.count) if a.mixed else texts(a.salt, a.count)
        )
    else:
        {"v32": v32, "small": small}[a.what](a.source, a.target)
