// Eight outputs a vector, two vectors a panel. A block of W becomes f32 first, then all rows use
// it: what decoding costs is less than what reading W from memory costs, even for one row.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "ops/linear/e4m3_bf16.h"
#include "ops/linear/gemm_kernels.h"

namespace fathom::gemm {
namespace {

constexpr int64_t kPanelFloats = kBlockK * 16;  // A panel of a decoded block: f32 [128][16].

__m256i load8(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

__m256i two_words(const std::byte* p) {
    int dword;
    std::memcpy(&dword, p, 4);
    return _mm256_set1_epi32(dword);
}

// Words w of two columns' bf16, eight outputs: column 0 to out, column 1 to out + 16.
void widen(float* out, __m256i w) {
    const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000));
    _mm256_store_ps(out, _mm256_castsi256_ps(_mm256_slli_epi32(w, 16)));
    _mm256_store_ps(out + 16, _mm256_castsi256_ps(_mm256_and_si256(w, upper)));
}

void decode_bf16(float* out, const std::byte* b, int64_t columns) {
    for (int64_t k = 0; k < columns; k += 2, b += 64) {
        widen(out + k * 16, load8(b));
        widen(out + k * 16 + 8, load8(b + 32));
    }
}

// Codes to the low and high bytes of bf16. A code's upper four bits decide the high byte, and its
// lower four are the low one, but where the upper four are 0: there are the subnormals, looked up.
class Decoder {
public:
    Decoder() {
        unsigned char high[16], low_of_small[16], high_of_small[16];
        for (int i = 0; i < 16; ++i) {
            high[i] = static_cast<unsigned char>(kE4m3AsBf16[i << 4 | 8] >> 8);
            low_of_small[i] = static_cast<unsigned char>(kE4m3AsBf16[i]);
            high_of_small[i] = static_cast<unsigned char>(kE4m3AsBf16[i] >> 8);
        }
        high_ = table(high);
        low_of_small_ = table(low_of_small);
        high_of_small_ = table(high_of_small);
    }

    void decode(__m256i codes, __m256i (&pairs)[2]) const {
        const __m256i nibble = _mm256_set1_epi8(0x0f), sign = _mm256_set1_epi8(-128);
        const __m256i lower = _mm256_and_si256(codes, nibble);
        const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(codes, 4), nibble);
        const __m256i magnitude = _mm256_andnot_si256(sign, codes);
        const __m256i small = _mm256_cmpgt_epi8(_mm256_set1_epi8(16), magnitude);
        const __m256i nan = _mm256_cmpeq_epi8(magnitude, _mm256_set1_epi8(0x7f));
        __m256i low = _mm256_blendv_epi8(_mm256_slli_epi16(lower, 4),
                                         _mm256_shuffle_epi8(low_of_small_, lower), small);
        __m256i high = _mm256_blendv_epi8(_mm256_shuffle_epi8(high_, upper),
                                          _mm256_shuffle_epi8(high_of_small_, lower), small);
        high = _mm256_or_si256(high, _mm256_and_si256(codes, sign));
        high = _mm256_or_si256(high, _mm256_and_si256(nan, _mm256_set1_epi8(0x7f)));
        pairs[0] = _mm256_unpacklo_epi8(low, high);
        pairs[1] = _mm256_unpackhi_epi8(low, high);
    }

private:
    static __m256i table(const unsigned char* bytes) {
        return _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
    }
    __m256i high_, low_of_small_, high_of_small_;
};

void decode_fp8(float* out, const std::byte* b, const Decoder& decoder) {
    for (int64_t k = 0; k < kBlockK; k += 4, b += 64)
        for (int half = 0; half < 2; ++half) {
            __m256i pairs[2];
            decoder.decode(load8(b + half * 32), pairs);
            widen(out + k * 16 + half * 8, pairs[0]);
            widen(out + (k + 2) * 16 + half * 8, pairs[1]);
        }
}

struct Block {
    const std::byte* a;
    int64_t a_bytes;
    const std::byte* b;  // One panel.
    int64_t columns;
    float* acc;
    const float* scale;  // Of row 0; null: 1.
    int64_t scales;
    float b_scale;
};

struct F32 {
    template <int kM>
    static void run(const Block& t) {
        __m256 c[kM][2] = {};
        const auto* b = reinterpret_cast<const float*>(t.b);
        for (int64_t k = 0; k < t.columns; ++k, b += 16) {
            const __m256 w0 = _mm256_load_ps(b), w1 = _mm256_load_ps(b + 8);
#pragma GCC unroll 8
            for (int m = 0; m < kM; ++m) {
                const __m256 x =
                    _mm256_broadcast_ss(reinterpret_cast<const float*>(t.a + m * t.a_bytes) + k);
                c[m][0] = _mm256_fmadd_ps(x, w0, c[m][0]);
                c[m][1] = _mm256_fmadd_ps(x, w1, c[m][1]);
            }
        }
#pragma GCC unroll 8
        for (int m = 0; m < kM; ++m) {
            const float scale = t.scale != nullptr ? t.scale[m * t.scales] * t.b_scale : 1.0f;
            for (int half = 0; half < 2; ++half) {
                float* acc = t.acc + m * kGroupOutputs + half * 8;
                _mm256_store_ps(
                    acc, _mm256_fmadd_ps(c[m][half], _mm256_set1_ps(scale), _mm256_load_ps(acc)));
            }
        }
    }
};

struct Int8 {
    template <int kM>
    static void run(const Block& t) {
        __m256i c[kM][2];
        auto* acc = reinterpret_cast<__m256i*>(t.acc);
#pragma GCC unroll 8
        for (int m = 0; m < kM; ++m)
            for (int half = 0; half < 2; ++half) c[m][half] = acc[m * 8 + half];
        for (int64_t k = 0; k < t.columns; k += 4)
            for (int half = 0; half < 2; ++half) {
                const __m256i w = load8(t.b + k / 4 * 64 + half * 32);
                const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8);
                const __m256i odd = _mm256_srai_epi16(w, 8);
#pragma GCC unroll 8
                for (int m = 0; m < kM; ++m) {
                    const std::byte* x = t.a + m * t.a_bytes + k * 2;
                    const __m256i p0 = _mm256_madd_epi16(two_words(x), even);
                    const __m256i p1 = _mm256_madd_epi16(two_words(x + 4), odd);
                    c[m][half] = _mm256_add_epi32(c[m][half], _mm256_add_epi32(p0, p1));
                }
            }
#pragma GCC unroll 8
        for (int m = 0; m < kM; ++m)
            for (int half = 0; half < 2; ++half) acc[m * 8 + half] = c[m][half];
    }
};

Block at_row(const Block& t, int64_t row) {
    Block part = t;
    part.a += row * t.a_bytes;
    part.acc += row * kGroupOutputs;
    if (t.scale != nullptr) part.scale += row * t.scales;
    return part;
}

template <class Step>
void run_rows(const Block& t, int64_t rows) {
    int64_t r = 0;
    for (; r + 6 <= rows; r += 6) Step::template run<6>(at_row(t, r));
    for (; r + 2 <= rows; r += 2) Step::template run<2>(at_row(t, r));
    if (r < rows) Step::template run<1>(at_row(t, r));
}

// One panel after the other in each block of columns: decode(scratch, b, columns) then all rows.
template <class Decode>
void run_f32(const Tile& t, int64_t columns_per_cell, Decode decode) {
    auto* const acc = static_cast<float*>(t.acc);
    std::fill_n(acc, t.rows * kGroupOutputs, 0.0f);
    auto* const decoded = reinterpret_cast<float*>(t.scratch);
    for (int64_t k = 0; k < t.K; k += kBlockK)
        for (int64_t p = 0; p < t.panels; ++p) {
            const int64_t columns = std::min(kBlockK, (t.K - k + 1) / 2 * 2);
            decode(decoded, t.b + p * t.b_bytes + k / columns_per_cell * 64, columns);
            Block block{.a = t.a + k * 4,
                        .a_bytes = t.a_bytes,
                        .b = t.scratch,
                        .columns = columns,
                        .acc = acc + p * 16};
            if (t.a_scale != nullptr) {
                block.scale = t.a_scale + k / kBlockK;
                block.scales = t.a_scales;
                block.b_scale = t.b_scale[k / kBlockK];
            }
            run_rows<F32>(block, t.rows);
        }
}

}  // namespace

void avx2::f32_bf16(const Tile& t) { run_f32(t, 2, decode_bf16); }

void avx2::fp8(const Tile& t) {
    const Decoder decoder;
    run_f32(t, 4, [&](float* out, const std::byte* b, int64_t) { decode_fp8(out, b, decoder); });
}

void avx2::i8(const Tile& t) {
    auto* const acc = static_cast<int32_t*>(t.acc);
    std::fill_n(acc, t.rows * kGroupOutputs, 0);
    for (int64_t k = 0; k < t.K; k += kBlockK)
        for (int64_t p = 0; p < t.panels; ++p) {
            const Block block{.a = t.a + k * 2,
                              .a_bytes = t.a_bytes,
                              .b = t.b + p * t.b_bytes + k * 16,
                              .columns = std::min(kBlockK, t.K - k),
                              .acc = reinterpret_cast<float*>(acc + p * 16)};
            run_rows<Int8>(block, t.rows);
        }
}

}  // namespace fathom::gemm
