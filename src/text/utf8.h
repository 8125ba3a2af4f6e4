#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fathom {

// What stands at the begin of some bytes, by the table of well-formed UTF-8 in the Unicode standard
// (no surrogates, no overlong forms, nothing beyond U+10FFFF).
struct Utf8Char {
    enum class Kind {
        complete,    // one code point of `bytes` bytes
        invalid,     // `bytes` bytes that no continuation can make a code point
        incomplete,  // all the bytes there are begin a code point and more are needed
    };
    Kind kind;
    int bytes;      // 1 to 4; of an invalid one: the longest part that began a code point, or 1
    char32_t code;  // of a complete one, else 0
};

// REQUIRES: text is not empty.
Utf8Char first_char(std::string_view text);

// The bytes with U+FFFD in place of each invalid part, an incomplete tail included: the practice
// of the Unicode standard ("maximal subparts"), of Python's and of Rust's lossy conversion.
std::string to_valid_utf8(std::string_view bytes);

}  // namespace fathom
