// What ops::act_quant does to 128 numbers, for the ops that quantize on their way elsewhere.
#pragma once

#include "ops/act_quant/act_quant.h"
#include "ops/vec8.h"

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

// Eight numbers on their way to e4m3, by the bits of their f32.
struct E4m3Rounding {
    explicit E4m3Rounding(__m256 v) {
        const auto all = [](uint32_t bits) { return _mm256_set1_epi32(static_cast<int>(bits)); };
        const __m256i bits = _mm256_castps_si256(v),
                      magnitude = _mm256_and_si256(bits, all(0x7fffffff));
        const __m256i bounded = _mm256_min_epu32(magnitude, all(0x43e00000));  // 448.
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bounded, 20), all(1));
        sign = _mm256_xor_si256(bits, magnitude);
        normal = _mm256_add_epi32(bounded, _mm256_add_epi32(odd, all(0x7ffff)));
        // Below 2^-6 codes are multiples of 2^-9, which is the ulp of [2^14, 2^15).
        raised = _mm256_add_ps(_mm256_castsi256_ps(bounded), _mm256_set1_ps(16384.0f));
        is_small = _mm256_cmpgt_epi32(all(0x3c800000), bounded);
        is_nan = _mm256_cmpgt_epi32(magnitude, all(0x7f800000));
    }

    // The code of to_f8e4m3(v), in the low byte.
    __m256i code() const {
        const auto all = [](int bits) { return _mm256_set1_epi32(bits); };
        const __m256i big = _mm256_sub_epi32(_mm256_srli_epi32(normal, 20), all(120 << 3));
        const __m256i small = _mm256_and_si256(_mm256_castps_si256(raised), all(0xff));
        __m256i code = _mm256_blendv_epi8(big, small, is_small);
        code = _mm256_blendv_epi8(code, all(0x7f), is_nan);
        return _mm256_or_si256(code, _mm256_srli_epi32(sign, 24));
    }
    // The number that this code stands for.
    __m256 value() const {
        const __m256i big = _mm256_and_si256(normal, _mm256_set1_epi32(-1 << 20));
        const __m256 small = _mm256_sub_ps(raised, _mm256_set1_ps(16384.0f));
        __m256i bits = _mm256_blendv_epi8(big, _mm256_castps_si256(small), is_small);
        bits = _mm256_blendv_epi8(bits, _mm256_set1_epi32(0x7fc00000), is_nan);
        return _mm256_castsi256_ps(_mm256_or_si256(bits, sign));
    }

    __m256i sign, normal, is_small, is_nan;
    __m256 raised;
};

// values[0..127] = x / scale; returns the scale.
template <class X>
float act_quant_divide(float* values, const X* x, ScaleFormat format) {
    __m256i most = _mm256_setzero_si256();  // Magnitudes order like their bits, a NaN on top.
    for (int i = 0; i < kActQuantGroup; i += 8) {
        const __m256 v = vec8::load(x + i);
        const __m256i bits = _mm256_castps_si256(v);
        most = _mm256_max_epu32(most, _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff)));
        vec8::store(values + i, v);
    }
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1));
    const float scale = act_quant_scale(_mm_cvtss_f32(_mm_castsi128_ps(four)), format);
    const bool is_power = format == ScaleFormat::ue8m0;  // Whose inverse is exact.
    const __m256 factor = _mm256_set1_ps(is_power ? 1.0f / scale : scale);
    for (int i = 0; i < kActQuantGroup; i += 8) {
        const __m256 v = vec8::load(values + i);
        vec8::store(values + i, is_power ? _mm256_mul_ps(v, factor) : _mm256_div_ps(v, factor));
    }
    return scale;
}

// codes[0..127] and the scale, returned, of x[0..127].
template <class X>
float act_quant_group(uint8_t* codes, const X* x, ScaleFormat format) {
    float values[kActQuantGroup];
    const float scale = act_quant_divide(values, x, format);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // After packing in lanes.
    for (int i = 0; i < kActQuantGroup; i += 32) {
        __m256i c[4];
        for (int j = 0; j < 4; ++j) c[j] = E4m3Rounding(vec8::load(values + i + 8 * j)).code();
        const __m256i bytes =
            _mm256_packus_epi16(_mm256_packus_epi32(c[0], c[1]), _mm256_packus_epi32(c[2], c[3]));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + i),
                            _mm256_permutevar8x32_epi32(bytes, order));
    }
    return scale;
}

}  // namespace fathom
