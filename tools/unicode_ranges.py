#!/usr/bin/env python3
"""Code points that Hugging Face's `tokenizers` puts in a Unicode class and an older table does not.

    unicode_ranges.py header > src/text/unicode_ranges.h
    unicode_ranges.py vectors TOKENIZER_JSON > tests/golden/tokenizer/unicode.jsonl

PCRE2 10.42 has the tables of Unicode 14, as this Python's unicodedata must (it is checked);
tokenizers 0.23.3 has later ones. `header` prints the difference, for the five classes that
DeepSeek's patterns name, as C++. `vectors` prints the pieces of texts with the borders of these
ranges and their neighbours, and with what one of the two may take for white space.
"""
import json
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, pre_tokenizers

CLASSES = [("L", "Letters"), ("M", "Marks"), ("N", "Numbers"), ("P", "Punctuation"),
           ("S", "Symbols")]
EVERY = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def in_class(pattern):
    """The set of code points that `pattern`, one character long, matches in tokenizers."""
    text = "".join(map(chr, EVERY))
    others = pre_tokenizers.Split(Regex(pattern), behavior="removed").pre_tokenize_str(text)
    missed = set()
    for _, (begin, end) in others:
        missed.update(EVERY[begin:end])
    return set(EVERY) - missed


def ranges_of(codes):
    ranges = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return ranges


def extra_ranges():
    assert unicodedata.unidata_version == "14.0.0", "needs a Python whose tables are PCRE2's"
    result = {}
    for letter, name in CLASSES:
        ours = {c for c in EVERY if unicodedata.category(chr(c))[0] == letter}
        theirs = in_class(rf"\p{{{letter}}}")
        left = ranges_of(ours - theirs)
        assert not left, f"{name}: code points left the class: {left}"
        result[letter, name] = ranges_of(theirs - ours)
    return result


def print_header():
    version = tokenizers.__version__
    print(f"""// Made by tools/unicode_ranges.py with tokenizers {version}; not to be edited.
#pragma once

#include <array>

namespace fathom {{

struct CodeRange {{
    char32_t first, last;  // both belong to it
}};

// What Unicode 14, the tables of PCRE2 10.42, does not yet have in a class and Hugging Face's
// tokenizers {version} has. Ascending.
// clang-format off""")
    for (_, name), ranges in extra_ranges().items():
        print(f"inline constexpr std::array<CodeRange, {len(ranges)}> kExtra{name} = {{{{")
        for i in range(0, len(ranges), 4):
            print("    " + " ".join(f"{{0x{a:x}, 0x{b:x}}}," for a, b in ranges[i:i + 4]))
        print("}};")
    print("// clang-format on\n\n}  // namespace fathom")


def print_vectors(path):
    with open(path, encoding="utf-8") as f:
        rules = json.load(f)["pre_tokenizer"]["pretokenizers"][:-1]
    splits = [pre_tokenizers.Split(Regex(rule["pattern"]["Regex"]), "isolated") for rule in rules]
    pre_tokenizer = pre_tokenizers.Sequence(splits)
    codes = {0x1C, 0x1F, 0x180E, 0x200B, 0x2060, 0xFEFF} | in_class(r"\s")
    for ranges in extra_ranges().values():
        for first, last in ranges:
            codes |= {first - 1, first, last, last + 1}
    for c in map(chr, sorted(codes)):
        for text in (f"a{c}b {c}{c}1{c}.{c}", f" {c}\n{c} \u4e00{c}x"):
            pieces = [piece for piece, _ in pre_tokenizer.pre_tokenize_str(text)]
            print(json.dumps({"text": text, "pieces": pieces}, separators=(",", ":")))


if __name__ == "__main__":
    if sys.argv[1:] == ["header"]:
        print_header()
    elif len(sys.argv) == 3 and sys.argv[1] == "vectors":
        print_vectors(sys.argv[2])
    else:
        sys.exit(__doc__)
