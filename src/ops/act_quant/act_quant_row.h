// What ops::act_quant does to 128 numbers, for the ops that quantize on their way elsewhere.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "ops/act_quant/act_quant.h"

namespace fathom {

inline constexpr int kActQuantGroup = 128;

// The scale of a group whose largest magnitude is `amax`.
inline float act_quant_scale(float amax, ScaleFormat format) {
    const float scale = (amax > 1e-4f ? amax : 1e-4f) * (1.0f / 448.0f);
    if (format == ScaleFormat::plain) return scale;
    uint32_t bits;  // The mantissa carries into the exponent unless it is zero: rounds up.
    std::memcpy(&bits, &scale, sizeof bits);
    bits = (bits + 0x7fffffu) & 0xff800000u;
    float power;
    std::memcpy(&power, &bits, sizeof power);
    return power;
}

// to_f8e4m3 without branches, so that a loop over it becomes vector code.
inline uint8_t act_quant_code(float f) {
    uint32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    const uint32_t sign = (bits >> 24) & 0x80u, magnitude = bits & 0x7fffffffu;
    const uint32_t bounded = magnitude < 0x43e00000u ? magnitude : 0x43e00000u;  // 448.
    const uint32_t normal = ((bounded + 0x7ffffu + ((bounded >> 20) & 1u)) >> 20) - (120u << 3);
    // Below 2^-6 codes are multiples of 2^-9, which is the ulp of [2^14, 2^15).
    float small;
    std::memcpy(&small, &bounded, sizeof small);
    small += 16384.0f;
    uint32_t subnormal;
    std::memcpy(&subnormal, &small, sizeof subnormal);
    const uint32_t code = bounded < 0x3c800000u ? subnormal & 0xffu : normal;
    return static_cast<uint8_t>(sign | (magnitude > 0x7f800000u ? 0x7fu : code));
}

// codes[0..127] and the scale, returned, of x[0..127].
template <class X>
float act_quant_group(uint8_t* codes, const X* x, ScaleFormat format) {
    float values[kActQuantGroup];
    uint32_t amax_bits = 0;  // Magnitudes order like their bits; a NaN ends up on top.
    for (int i = 0; i < kActQuantGroup; ++i) {
        values[i] = to_float(x[i]);
        uint32_t bits;
        std::memcpy(&bits, &values[i], sizeof bits);
        bits &= 0x7fffffffu;
        amax_bits = bits > amax_bits ? bits : amax_bits;
    }
    float amax;
    std::memcpy(&amax, &amax_bits, sizeof amax);
    const float scale = act_quant_scale(amax, format);
    for (int i = 0; i < kActQuantGroup; ++i) codes[i] = act_quant_code(values[i] / scale);
    return scale;
}

}  // namespace fathom
