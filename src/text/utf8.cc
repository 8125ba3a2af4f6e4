#include "text/utf8.h"

#include <algorithm>

#include "base/check.h"

namespace fathom {
namespace {

struct Lead {
    int bytes;          // of the whole character, 0 if none begins so
    uint8_t low, high;  // range of the second byte
};

Lead lead_of(uint8_t byte) {
    if (byte < 0x80) return {1, 0, 0};
    if (byte < 0xc2) return {0, 0, 0};
    if (byte < 0xe0) return {2, 0x80, 0xbf};
    if (byte == 0xe0) return {3, 0xa0, 0xbf};
    if (byte == 0xed) return {3, 0x80, 0x9f};
    if (byte < 0xf0) return {3, 0x80, 0xbf};
    if (byte == 0xf0) return {4, 0x90, 0xbf};
    if (byte < 0xf4) return {4, 0x80, 0xbf};
    if (byte == 0xf4) return {4, 0x80, 0x8f};
    return {0, 0, 0};
}

}  // namespace

Utf8Char first_char(std::string_view text) {
    CHECK(!text.empty(), "no character begins nothing");
    const auto byte = [&](int i) { return static_cast<uint8_t>(text[i]); };
    const Lead lead = lead_of(byte(0));
    if (lead.bytes == 0) return {Utf8Char::Kind::invalid, 1, 0};
    if (lead.bytes == 1) return {Utf8Char::Kind::complete, 1, byte(0)};

    char32_t code = byte(0) & (0x7f >> lead.bytes);
    const int there = static_cast<int>(std::min<size_t>(text.size(), lead.bytes));
    for (int i = 1; i < there; ++i) {
        const uint8_t low = i == 1 ? lead.low : 0x80, high = i == 1 ? lead.high : 0xbf;
        if (byte(i) < low || byte(i) > high) return {Utf8Char::Kind::invalid, i, 0};
        code = code << 6 | (byte(i) & 0x3f);
    }
    if (there < lead.bytes) return {Utf8Char::Kind::incomplete, there, 0};
    return {Utf8Char::Kind::complete, lead.bytes, code};
}

std::string to_valid_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto ascii = std::ranges::find_if(bytes, [](char c) { return (c & 0x80) != 0; });
        text.append(bytes.begin(), ascii);  // Most text is nothing else.
        bytes.remove_prefix(ascii - bytes.begin());
        if (bytes.empty()) break;
        const Utf8Char c = first_char(bytes);
        if (c.kind == Utf8Char::Kind::complete)
            text.append(bytes.substr(0, c.bytes));
        else
            text.append("\uFFFD");
        bytes.remove_prefix(c.bytes);
    }
    return text;
}

}  // namespace fathom
