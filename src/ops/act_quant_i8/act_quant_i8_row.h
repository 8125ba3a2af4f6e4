// What ops::act_quant_i8_* does to one row, for ops::linear.
#pragma once

#include "ops/vec8.h"

namespace fathom {

// max|x| / 127.
template <class X>
float act_quant_i8_scale(const X* x, int64_t K) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 most = _mm256_setzero_ps();
    vec8::for_each(K, [&](int64_t k, int64_t n) {
        most = _mm256_max_ps(_mm256_andnot_ps(sign, vec8::load(x + k, n)), most);
    });
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, most);
    float amax = 0;
    for (const float lane : lanes) amax = lane > amax ? lane : amax;
    return amax / 127.0f;
}

// codes[0..K) = clamp(round(x / scale + offset)); with a scale of 0 all x are 0, and so are codes.
template <class X>
void act_quant_i8_codes(int8_t* codes, const X* x, int64_t K, float scale, float offset) {
    const __m256 divisor = _mm256_set1_ps(scale == 0 ? 1.0f : scale);
    const __m256 shift = _mm256_set1_ps(offset);
    vec8::for_each(K, [&](int64_t k, int64_t n) {
        __m256 v = _mm256_add_ps(_mm256_div_ps(vec8::load(x + k, n), divisor), shift);
        v = _mm256_min_ps(_mm256_max_ps(v, _mm256_set1_ps(-128.0f)), _mm256_set1_ps(127.0f));
        const __m256i dwords = _mm256_cvtps_epi32(v);  // To even: the mode that everyone runs in.
        const __m128i words =
            _mm_packs_epi32(_mm256_castsi256_si128(dwords), _mm256_extracti128_si256(dwords, 1));
        const int64_t bytes = _mm_cvtsi128_si64(_mm_packs_epi16(words, words));
        std::memcpy(codes + k, &bytes, n);
    });
}

}  // namespace fathom
