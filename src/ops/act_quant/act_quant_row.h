// What ops::act_quant does to 128 numbers, for the ops that quantize on their way elsewhere.
#pragma once

#include <immintrin.h>

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

// to_f8e4m3 of eight numbers, a code in each 32 bits.
inline __m256i act_quant_codes_x8(__m256 numbers) {
    const __m256i bits = _mm256_castps_si256(numbers);
    const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    const __m256i bounded = _mm256_min_epi32(magnitude, _mm256_set1_epi32(0x43e00000));  // 448.
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bounded, 20), _mm256_set1_epi32(1));
    const __m256i rounded =
        _mm256_add_epi32(_mm256_add_epi32(bounded, _mm256_set1_epi32(0x7ffff)), odd);
    const __m256i normal =
        _mm256_sub_epi32(_mm256_srli_epi32(rounded, 20), _mm256_set1_epi32(120 << 3));
    // Below 2^-6 codes are multiples of 2^-9, which is the ulp of [2^14, 2^15).
    const __m256 shifted = _mm256_add_ps(_mm256_castsi256_ps(bounded), _mm256_set1_ps(16384));
    const __m256i subnormal =
        _mm256_and_si256(_mm256_castps_si256(shifted), _mm256_set1_epi32(0xff));
    const __m256i is_small = _mm256_cmpgt_epi32(_mm256_set1_epi32(0x3c800000), bounded);
    const __m256i is_nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
    const __m256i code = _mm256_or_si256(_mm256_blendv_epi8(normal, subnormal, is_small),
                                         _mm256_and_si256(is_nan, _mm256_set1_epi32(0x7f)));
    const __m256i sign = _mm256_set1_epi32(0x80);
    return _mm256_or_si256(code, _mm256_and_si256(_mm256_srli_epi32(bits, 24), sign));
}

// The same of one number.
inline uint8_t act_quant_code(float f) {
    const __m256i codes = act_quant_codes_x8(_mm256_set1_ps(f));
    return static_cast<uint8_t>(_mm256_extract_epi32(codes, 0));
}

inline __m256 act_quant_load_x8(const float* x) { return _mm256_loadu_ps(x); }
inline __m256 act_quant_load_x8(const bf16* x) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}

// codes[0..127] and the scale, returned, of x[0..127]. NaN has a code, but no part in the scale.
template <class X>
float act_quant_group(uint8_t* codes, const X* x, ScaleFormat format) {
    const __m256 largest = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    __m256 amaxes = _mm256_setzero_ps();
    for (int i = 0; i < kActQuantGroup; i += 8)  // The second operand where one is NaN.
        amaxes = _mm256_max_ps(_mm256_and_ps(act_quant_load_x8(x + i), largest), amaxes);
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, amaxes);
    float amax = 0;
    for (float lane : lanes) amax = lane > amax ? lane : amax;

    const float scale = act_quant_scale(amax, format);
    const __m256 divisor = _mm256_set1_ps(scale);
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    for (int i = 0; i < kActQuantGroup; i += 32) {
        __m256i parts[4];
        for (int j = 0; j < 4; ++j)
            parts[j] = act_quant_codes_x8(_mm256_div_ps(act_quant_load_x8(x + i + 8 * j), divisor));
        const __m256i packed = _mm256_packus_epi16(_mm256_packus_epi32(parts[0], parts[1]),
                                                   _mm256_packus_epi32(parts[2], parts[3]));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + i),
                            _mm256_permutevar8x32_epi32(packed, in_order));
    }
    return scale;
}

}  // namespace fathom
