// Every e4m3 code as bf16, which holds all of them exactly.
#pragma once

#include <array>
#include <cstdint>

namespace fathom {

constexpr uint16_t e4m3_as_bf16(int code) {
    const int sign = code >> 7, exponent = (code >> 3) & 15, mantissa = code & 7;
    if ((code & 0x7f) == 0x7f) return static_cast<uint16_t>(sign << 15 | 0x7fc0);
    if (exponent > 0)
        return static_cast<uint16_t>(sign << 15 | (exponent + 120) << 7 | mantissa << 4);
    if (mantissa == 0) return static_cast<uint16_t>(sign << 15);
    const int top = mantissa >= 4 ? 2 : mantissa >= 2 ? 1 : 0;  // mantissa * 2^-9, normalized.
    return static_cast<uint16_t>(sign << 15 | (118 + top) << 7 | (mantissa << (7 - top) & 0x7f));
}

inline constexpr std::array<uint16_t, 256> kE4m3AsBf16 = [] {
    std::array<uint16_t, 256> table{};
    for (int code = 0; code < 256; ++code) table[code] = e4m3_as_bf16(code);
    return table;
}();

}  // namespace fathom
