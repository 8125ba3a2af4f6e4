// Sixteen f32 lanes, and pairs of bf16 whose products are summed in f32: for *_avx512.cc only.
#pragma once

// GCC 12 takes its own undefined registers in this header for uninitialized variables.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

namespace fathom {

struct F32x16 {
    static constexpr int kLanes = 16;
    using Vector = __m512;

    static Vector zero() { return _mm512_setzero_ps(); }
    static Vector set1(float f) { return _mm512_set1_ps(f); }
    static Vector load(const float* from) { return _mm512_loadu_ps(from); }
    static void store(float* to, Vector v) { _mm512_storeu_ps(to, v); }
    static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
    static Vector sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
    static Vector mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
    static Vector div(Vector a, Vector b) { return _mm512_div_ps(a, b); }
    static Vector fma(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
    // b where either is NaN.
    static Vector max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
    static Vector round(Vector v) {
        return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    }
    // 2^v of whole numbers -126 .. 127.
    static Vector exp2_whole(Vector v) {
        const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(v), _mm512_set1_epi32(127));
        return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
    }
    // v, and zero where a < b.
    static Vector zero_if_less(Vector v, Vector a, Vector b) {
        return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ), v);
    }
};

// out[i * stride] = column i of 16 rows of 16 numbers of 4 bytes.
inline void transpose_16x16(uint32_t* out, int64_t stride, const __m512i (&rows)[16]) {
    __m512i pairs[16], quads[16];
    for (int i = 0; i < 16; i += 2) {
        pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        quads[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
        quads[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
        quads[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
        quads[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
    }
    // quads[4 r + c] has, in its 128-bit lane l, column 4 l + c of the rows 4 r .. 4 r + 3.
    for (int c = 0; c < 4; ++c) {
        const __m512i even_low = _mm512_shuffle_i32x4(quads[c], quads[4 + c], 0x88);
        const __m512i odd_low = _mm512_shuffle_i32x4(quads[c], quads[4 + c], 0xdd);
        const __m512i even_high = _mm512_shuffle_i32x4(quads[8 + c], quads[12 + c], 0x88);
        const __m512i odd_high = _mm512_shuffle_i32x4(quads[8 + c], quads[12 + c], 0xdd);
        _mm512_storeu_si512(out + c * stride, _mm512_shuffle_i32x4(even_low, even_high, 0x88));
        _mm512_storeu_si512(out + (4 + c) * stride, _mm512_shuffle_i32x4(odd_low, odd_high, 0x88));
        _mm512_storeu_si512(out + (8 + c) * stride,
                            _mm512_shuffle_i32x4(even_low, even_high, 0xdd));
        _mm512_storeu_si512(out + (12 + c) * stride, _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd));
    }
}

// e4m3 to bf16 by table, one byte of the result at a time: a code without its sign has 128 values,
// as many as two registers hold.
class Decoder {
public:
    Decoder() {
        alignas(64) uint8_t low[128], high[128];
        for (int code = 0; code < 128; ++code) {
            const int exponent = code >> 3, mantissa = code & 7;
            uint32_t bits = (exponent + 120) << 7 | mantissa << 4;
            if (exponent == 0) {  // mantissa * 2^-9, normal in bf16.
                const int shift = mantissa >= 4 ? 2 : mantissa >= 2 ? 1 : 0;
                bits = mantissa == 0 ? 0 : (118 + shift) << 7 | ((mantissa << (7 - shift)) & 0x7f);
            }
            if (code == 0x7f) bits = 0x7fc0;
            low[code] = static_cast<uint8_t>(bits);
            high[code] = static_cast<uint8_t>(bits >> 8);
        }
        low_[0] = _mm512_load_si512(low), low_[1] = _mm512_load_si512(low + 64);
        high_[0] = _mm512_load_si512(high), high_[1] = _mm512_load_si512(high + 64);
    }

    // Per 128-bit lane of 16 codes: the first eight as bf16 in `first`, the others in `second`.
    void decode(__m512i codes, __m512i& first, __m512i& second) const {
        const __m512i low = _mm512_permutex2var_epi8(low_[0], codes, low_[1]);
        __m512i high = _mm512_permutex2var_epi8(high_[0], codes, high_[1]);
        const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
        high = _mm512_ternarylogic_epi32(high, codes, sign, 0xf8);  // high | (codes & sign)
        first = _mm512_unpacklo_epi8(low, high);
        second = _mm512_unpackhi_epi8(low, high);
    }
    // 64 codes in order: elements 0 .. 31 in `first`, 32 .. 63 in `second`.
    void decode_in_order(const uint8_t* from, __m512i& first, __m512i& second) const {
        const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
        decode(_mm512_permutexvar_epi64(order, _mm512_loadu_si512(from)), first, second);
    }

private:
    __m512i low_[2], high_[2];
};

}  // namespace fathom
