// e4m3 (the "fn" form of OCP FP8: no infinity, NaN is 0x7f and 0xff, largest value 448).
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace fathom {

// Bit-compatible with __nv_fp8_e4m3.
struct f8e4m3 {
    uint8_t bits;
};

// Every finite code is exact in bf16 and f32.
inline float to_float(f8e4m3 v) {
    const int exponent = (v.bits >> 3) & 15, mantissa = v.bits & 7;
    if ((v.bits & 0x7f) == 0x7f) return std::nanf("");
    const float magnitude = exponent == 0
                                ? std::ldexp(static_cast<float>(mantissa), -9)
                                : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
    return (v.bits & 0x80) ? -magnitude : magnitude;
}

// The nearest code, ties to even, saturating at +-448; NaN gives 0x7f with the sign of f.
inline f8e4m3 to_f8e4m3(float f) {
    uint32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    const auto sign = static_cast<uint8_t>((bits >> 24) & 0x80);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return {static_cast<uint8_t>(sign | 0x7f)};
    if (magnitude >= 0x43e00000u) return {static_cast<uint8_t>(sign | 0x7e)};  // 448 and above.
    if (magnitude < 0x3c800000u) {  // Below 2^-6: multiples of 2^-9, rounded by the addition.
        float scaled;
        std::memcpy(&scaled, &magnitude, sizeof scaled);
        const float rounded = scaled + 16384.0f;  // ulp of [2^14, 2^15) is 2^-9.
        uint32_t code;
        std::memcpy(&code, &rounded, sizeof code);
        return {static_cast<uint8_t>(sign | (code & 0xff))};
    }
    const uint32_t rounded = magnitude + 0x7ffffu + ((magnitude >> 20) & 1u);
    const uint32_t code = (rounded >> 20) - (120u << 3);
    return {static_cast<uint8_t>(sign | (code > 0x7e ? 0x7e : code))};
}

}  // namespace fathom
