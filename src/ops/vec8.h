#pragma once

#include <immintrin.h>

#include <cstring>

#include "tensor/tensor.h"

// Eight f32 at a time, of a row in bf16 or f32: what the elementwise ops of the CPU are made of.
// AVX2 and FMA, which every CPU that is supported has.
namespace fathom::vec8 {

inline __m256 load(const float* p) { return _mm256_loadu_ps(p); }
inline __m256 load(const bf16* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

inline void store(float* p, __m256 v) { _mm256_storeu_ps(p, v); }
inline void store(bf16* p, __m256 v) {  // to_bf16() of each, NaN too.
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i high = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    const __m256i words = _mm256_blendv_epi8(_mm256_srli_epi32(up, 16), quiet, nan);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(words, words), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
}

// The first n of eight, 1 <= n <= 8: the others are read as 0, and are not written.
template <class T>
__m256 load(const T* p, int64_t n) {
    if (n == 8) return load(p);
    T some[8] = {};
    std::memcpy(some, p, n * sizeof(T));
    return load(some);
}
template <class T>
void store(T* p, __m256 v, int64_t n) {
    if (n == 8) return store(p, v);
    T some[8];
    store(some, v);
    std::memcpy(p, some, n * sizeof(T));
}

// All ones in the first n of eight.
inline __m256 first(int64_t n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), index));
}

// Calls f(d, n) for d = 0, 8, 16, .. with n = 8, the last time perhaps less.
template <class F>
void for_each(int64_t D, F f) {
    int64_t d = 0;
    for (; d + 8 <= D; d += 8) f(d, int64_t{8});
    if (d < D) f(d, D - d);
}

// e^x within 1.5 ulp, subnormal results too; 0 and infinity beyond them. x = n ln 2 + r with
// |r| <= ln 2 / 2; e^r by its series to r^7 (the rest is below 6e-9); times 2^n in two steps, so
// that neither factor overflows.
inline __m256 exp(__m256 x) {
    x = _mm256_min_ps(_mm256_set1_ps(90.0f), _mm256_max_ps(_mm256_set1_ps(-105.0f), x));
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.62e4p-1f), x);  // 16 bits: n * it is exact.
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0x1.7f7d1cp-20f), r);
    __m256 p = _mm256_set1_ps(1.0f / 5040);
    for (const float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
        p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(c));
    const __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    const auto power = [](__m256i e) {
        return _mm256_castsi256_ps(
            _mm256_slli_epi32(_mm256_add_epi32(e, _mm256_set1_epi32(127)), 23));
    };
    return _mm256_mul_ps(_mm256_mul_ps(p, power(half)), power(_mm256_sub_epi32(whole, half)));
}

// 1 / (1 + e^-x).
inline __m256 sigmoid(__m256 x) {
    const __m256 one = _mm256_set1_ps(1.0f);
    const __m256 e = exp(_mm256_xor_ps(x, _mm256_set1_ps(-0.0f)));
    return _mm256_div_ps(one, _mm256_add_ps(one, e));
}

}  // namespace fathom::vec8
