#!/usr/bin/env python3
"""Code points that Hugging Face's `tokenizers` puts in a Unicode class and an older table does not.

    unicode_ranges.py header > src/text/unicode_ranges.h
    unicode_ranges.py vectors TOKENIZER_JSON > tests/golden/tokenizer/unicode.jsonl

PCRE2 10.42 has the tables of Unicode 14, as this Python's unicodedata must (it is checked);
tokenizers 0.23.3 has later ones. `header` prints the difference, for the five classes that
DeepSeek's patterns name, as C++. `vectors` prints the token ids of texts around each of these
ranges, and around the white space that the two take for different things.
"""
import json
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, Tokenizer, pre_tokenizers

CLASSES = [("L", "Letters"), ("M", "Marks"), ("N", "Numbers"), ("P", "Punctuation"), ("S", "Symbols")]
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
        assert not ours - theirs, f"{name}: code points left the class: {ranges_of(ours - theirs)}"
        result[letter, name] = ranges_of(theirs - ours)
    return result


def print_header():
    print(f"""// Made by tools/unicode_ranges.py with tokenizers {tokenizers.__version__}; not to be edited.
#pragma once

#include <array>

namespace fathom {{

struct CodeRange {{
    char32_t first, last;  // both belong to it
}};

// What Unicode 14, the tables of PCRE2 10.42, does not yet have in a class and Hugging Face's
// tokenizers {tokenizers.__version__} has. Ascending.
// clang-format off""")
    for (_, name), ranges in extra_ranges().items():
        print(f"inline constexpr std::array<CodeRange, {len(ranges)}> kExtra{name} = {{{{")
        for i in range(0, len(ranges), 4):
            print("    " + " ".join(f"{{0x{a:x}, 0x{b:x}}}," for a, b in ranges[i:i + 4]))
        print("}};")
    print("// clang-format on\n\n}  // namespace fathom")


def print_vectors(path):
    tokenizer = Tokenizer.from_file(path)
    chars = [chr(c) for ranges in extra_ranges().values() for r in ranges for c in sorted(set(r))]
    spaces = in_class(r"\s") | {0x180E, 0x200B, 0x2060, 0xFEFF} | set(range(0x1C, 0x20))
    chars += [chr(c) for c in sorted(spaces)]
    texts = [text for c in chars for text in (f"a{c}b {c}{c}1{c}.{c}", f" {c}\n{c} \u4e00{c}x")]
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        print(json.dumps({"text": text, "ids": ids}, separators=(",", ":")))


if __name__ == "__main__":
    if sys.argv[1:] == ["header"]:
        print_header()
    elif len(sys.argv) == 3 and sys.argv[1] == "vectors":
        print_vectors(sys.argv[2])
    else:
        sys.exit(__doc__)
