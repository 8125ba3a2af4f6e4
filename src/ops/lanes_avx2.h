// Eight f32 lanes, for the kernels that are written once for both instruction sets. Include it only
// where AVX2 is on for good.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace fathom {

struct F32x8 {
    static constexpr int kLanes = 8;
    using Vector = __m256;

    static Vector zero() { return _mm256_setzero_ps(); }
    static Vector set1(float f) { return _mm256_set1_ps(f); }
    static Vector load(const float* from) { return _mm256_loadu_ps(from); }
    static void store(float* to, Vector v) { _mm256_storeu_ps(to, v); }
    static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
    static Vector sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
    static Vector mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
    static Vector div(Vector a, Vector b) { return _mm256_div_ps(a, b); }
    static Vector fma(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
    // b where either is NaN.
    static Vector max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
    static Vector round(Vector v) {
        return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    // 2^v of whole numbers -126 .. 127.
    static Vector exp2_whole(Vector v) {
        const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(v), _mm256_set1_epi32(127));
        return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
    }
    // v, and zero where a < b.
    static Vector zero_if_less(Vector v, Vector a, Vector b) {
        return _mm256_andnot_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ), v);
    }
};

// Eight e4m3 codes, exactly; 0x7f and 0xff become NaN.
inline __m256 decode_f8e4m3_x8(const uint8_t* codes) {
    int64_t eight;
    std::memcpy(&eight, codes, sizeof eight);
    const __m256i code = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(eight));
    const __m256i magnitude = _mm256_and_si256(code, _mm256_set1_epi32(0x7f));
    const __m256i sign = _mm256_slli_epi32(_mm256_sub_epi32(code, magnitude), 24);
    // Exponent and mantissa in their places, with the bias of the other format: a factor of 2^120.
    const __m256 small = _mm256_castsi256_ps(_mm256_slli_epi32(magnitude, 20));
    const __m256 value = _mm256_mul_ps(small, _mm256_set1_ps(0x1p120f));
    const __m256i nan = _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x7f));
    return _mm256_or_ps(value, _mm256_castsi256_ps(_mm256_or_si256(sign, nan)));
}

// rows[i] of eight f32 each become columns: out[i * stride + j] = rows[j][i].
inline void transpose_8x8(float* out, int64_t stride, const __m256 (&rows)[8]) {
    __m256 pairs[8], quads[8];
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
        quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
        quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
        quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
    }
    for (int i = 0; i < 4; ++i) {
        const __m256 low = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20);
        const __m256 high = _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31);
        _mm256_storeu_ps(out + i * stride, low);
        _mm256_storeu_ps(out + (i + 4) * stride, high);
    }
}

}  // namespace fathom
