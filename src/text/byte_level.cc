#include "text/byte_level.h"

#include <array>

#include "text/utf8.h"

namespace fathom {
namespace {

constexpr int kCodes = 0x144;  // the alphabet ends before it

constexpr bool stands_for_itself(int byte) {
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
}

constexpr std::array<char32_t, 256> make_codes() {
    std::array<char32_t, 256> codes{};
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) codes[byte] = stands_for_itself(byte) ? byte : next++;
    return codes;
}

constexpr std::array<char32_t, 256> kCodeOfByte = make_codes();

constexpr std::array<int16_t, kCodes> make_bytes() {
    std::array<int16_t, kCodes> bytes{};
    for (int16_t& byte : bytes) byte = -1;
    for (int byte = 0; byte < 256; ++byte) bytes[kCodeOfByte[byte]] = static_cast<int16_t>(byte);
    return bytes;
}

constexpr std::array<int16_t, kCodes> kByteOfCode = make_bytes();

}  // namespace

std::string byte_level_char(uint8_t byte) {
    const char32_t code = kCodeOfByte[byte];
    if (code < 0x80) return std::string(1, static_cast<char>(code));
    return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

std::optional<std::string> byte_level_bytes(std::string_view text) {
    std::string bytes;
    while (!text.empty()) {
        const Utf8Char c = first_char(text);
        if (c.kind != Utf8Char::Kind::complete || c.code >= kCodes || kByteOfCode[c.code] < 0)
            return std::nullopt;
        bytes.push_back(static_cast<char>(kByteOfCode[c.code]));
        text.remove_prefix(c.bytes);
    }
    return bytes;
}

}  // namespace fathom
