#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom {

// The alphabet of byte-level BPE: each of the 256 bytes is written as one printable character (a
// space as U+0120), so that a vocabulary of text can hold any bytes. The printable characters of
// Latin-1 stand for themselves, the others are U+0100 onwards in order of their byte. GPT-2.

// The character, UTF-8, that a byte is written as.
std::string byte_level_char(uint8_t byte);

// The bytes that text of this alphabet stands for; nothing if it has another character.
std::optional<std::string> byte_level_bytes(std::string_view text);

}  // namespace fathom
