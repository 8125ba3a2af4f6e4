// Eight outputs a vector, two vectors a panel. For many rows a block of W becomes f32 first; for a
// few it is decoded in registers, where the panels are reading ahead of each other. Both ways
// multiply and add the same numbers in the same order.
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

// Codes to the low and high bytes of bf16. The upper four bits of a code decide the high byte, and
// its lower four are the low one. Where the upper four but the sign are 0 there are subnormals:
// what differs then is looked up by the lower four; elsewhere bit 7 of the index makes that 0.
class Decoder {
public:
    Decoder() {
        unsigned char high[16], normal[16], low_of_small[16], high_of_small[16];
        for (int i = 0; i < 16; ++i) {
            const bool small = (i & 7) == 0;
            normal[i] = small ? 0 : 0x80;
            high[i] = static_cast<unsigned char>(kE4m3AsBf16[i << 4 | (small ? 0 : 8)] >> 8);
            low_of_small[i] = static_cast<unsigned char>(kE4m3AsBf16[i] ^ i << 4);
            high_of_small[i] = static_cast<unsigned char>(kE4m3AsBf16[i] >> 8);
        }
        high_ = table(high);
        normal_ = table(normal);
        low_of_small_ = table(low_of_small);
        high_of_small_ = table(high_of_small);
    }

    void decode(__m256i codes, __m256i (&pairs)[2]) const {
        const __m256i nibble = _mm256_set1_epi8(0x0f), magnitude = _mm256_set1_epi8(0x7f);
        const __m256i lower = _mm256_and_si256(codes, nibble);
        const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(codes, 4), nibble);
        const __m256i index = _mm256_or_si256(lower, _mm256_shuffle_epi8(normal_, upper));
        const __m256i nan = _mm256_cmpeq_epi8(_mm256_and_si256(codes, magnitude), magnitude);
        const __m256i low = _mm256_xor_si256(_mm256_slli_epi16(lower, 4),
                                             _mm256_shuffle_epi8(low_of_small_, index));
        const __m256i high = _mm256_or_si256(_mm256_shuffle_epi8(high_, upper),
                                             _mm256_shuffle_epi8(high_of_small_, index));
        pairs[0] = _mm256_unpacklo_epi8(low, _mm256_or_si256(high, nan));
        pairs[1] = _mm256_unpackhi_epi8(low, _mm256_or_si256(high, nan));
    }

private:
    static __m256i table(const unsigned char* bytes) {
        return _mm256_broadcastsi128_si256(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
    }
    __m256i high_, normal_, low_of_small_, high_of_small_;
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
    const std::byte* b;
    int64_t b_bytes;  // Where more than one panel is read.
    int64_t columns;
    float* acc;
    const float* scale;  // Of row 0; null: 1.
    int64_t scales;
    float b_scale;
};

__m256 number(const Block& t, int64_t row, int64_t k) {
    return _mm256_broadcast_ss(reinterpret_cast<const float*>(t.a + row * t.a_bytes) + k);
}

// acc += c * scale, of one row and panel.
void fold(const Block& t, int64_t row, int64_t panel, const __m256 (&c)[2]) {
    const float scale = t.scale != nullptr ? t.scale[row * t.scales] * t.b_scale : 1.0f;
    float* acc = t.acc + row * kGroupOutputs + panel * 16;
    for (int half = 0; half < 2; ++half, acc += 8)
        _mm256_store_ps(acc, _mm256_fmadd_ps(c[half], _mm256_set1_ps(scale), _mm256_load_ps(acc)));
}

template <int kM, int kP>
void fold_all(const Block& t, const __m256 (&c)[kM][kP][2]) {
    for (int m = 0; m < kM; ++m)
        for (int p = 0; p < kP; ++p) fold(t, m, p, c[m][p]);
}

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
        for (int m = 0; m < kM; ++m) fold(t, m, 0, c[m]);
    }
};

// Up to four rows; kM * kP <= 4, as twice that many sums fit the registers.
struct FewBf16 {
    template <int kM, int kP>
    static void run(const Block& t) {
        const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000));
        __m256 c[kM][kP][2] = {};
        for (int64_t k = 0; k < t.columns; k += 2)
#pragma GCC unroll 4
            for (int p = 0; p < kP; ++p)
                for (int half = 0; half < 2; ++half) {
                    const __m256i w = load8(t.b + p * t.b_bytes + k * 32 + half * 32);
                    const __m256 even = _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
                    const __m256 odd = _mm256_castsi256_ps(_mm256_and_si256(w, upper));
#pragma GCC unroll 4
                    for (int m = 0; m < kM; ++m) {
                        __m256& sum = c[m][p][half];
                        sum = _mm256_fmadd_ps(number(t, m, k), even, sum);
                        sum = _mm256_fmadd_ps(number(t, m, k + 1), odd, sum);
                    }
                }
        fold_all(t, c);
    }
};

struct FewFp8 {
    template <int kM, int kP>
    static void run(const Block& t) {
        const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000));
        const Decoder decoder;
        __m256 c[kM][kP][2] = {};
        for (int64_t k = 0; k < t.columns; k += 4)
#pragma GCC unroll 4
            for (int p = 0; p < kP; ++p)
                for (int half = 0; half < 2; ++half) {
                    __m256i pairs[2];
                    decoder.decode(load8(t.b + p * t.b_bytes + k * 16 + half * 32), pairs);
                    for (int i = 0; i < 2; ++i) {
                        const __m256 even = _mm256_castsi256_ps(_mm256_slli_epi32(pairs[i], 16));
                        const __m256 odd = _mm256_castsi256_ps(_mm256_and_si256(pairs[i], upper));
#pragma GCC unroll 4
                        for (int m = 0; m < kM; ++m) {
                            __m256& sum = c[m][p][half];
                            sum = _mm256_fmadd_ps(number(t, m, k + 2 * i), even, sum);
                            sum = _mm256_fmadd_ps(number(t, m, k + 2 * i + 1), odd, sum);
                        }
                    }
                }
        fold_all(t, c);
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

constexpr int64_t kFewRows = 4;

template <class Few, int kM, int kP>
void run_few(const Block& t, int64_t panels) {
    int64_t p = 0;
    const auto at_panel = [&] {
        Block part = t;
        part.b += p * t.b_bytes;
        part.acc += p * 16;
        return part;
    };
    for (; p + kP <= panels; p += kP) Few::template run<kM, kP>(at_panel());
    for (; p < panels; ++p) Few::template run<kM, 1>(at_panel());
}

template <class Few>
void run_few_rows(const Block& t, int64_t rows, int64_t panels) {
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4) run_few<Few, 4, 1>(at_row(t, r), panels);
    for (; r + 2 <= rows; r += 2) run_few<Few, 2, 2>(at_row(t, r), panels);
    if (r < rows) run_few<Few, 1, 4>(at_row(t, r), panels);
}

// All rows in each block of columns: straight from the panels, or one panel after the other by way
// of decode(scratch, panel, columns).
template <class Few, class Decode>
void run_f32(const Tile& t, int64_t columns_per_cell, Decode decode) {
    auto* const acc = static_cast<float*>(t.acc);
    std::fill_n(acc, t.rows * kGroupOutputs, 0.0f);
    for (int64_t k = 0; k < t.K; k += kBlockK) {
        Block block{.a = t.a + k * 4,
                    .a_bytes = t.a_bytes,
                    .b = t.b + k / columns_per_cell * 64,
                    .b_bytes = t.b_bytes,
                    .columns = std::min(kBlockK, (t.K - k + 1) / 2 * 2),
                    .acc = acc};
        if (t.a_scale != nullptr) {
            block.scale = t.a_scale + k / kBlockK;
            block.scales = t.a_scales;
            block.b_scale = t.b_scale[k / kBlockK];
        }
        if (t.rows <= kFewRows) {
            run_few_rows<Few>(block, t.rows, t.panels);
            continue;
        }
        const std::byte* panel = block.b;
        block.b = t.scratch;
        for (int64_t p = 0; p < t.panels; ++p, panel += t.b_bytes, block.acc += 16) {
            decode(reinterpret_cast<float*>(t.scratch), panel, block.columns);
            run_rows<F32>(block, t.rows);
        }
    }
}

}  // namespace

void avx2::f32_bf16(const Tile& t) { run_f32<FewBf16>(t, 2, decode_bf16); }

void avx2::fp8(const Tile& t) {
    const Decoder decoder;
    run_f32<FewFp8>(t, 4,
                    [&](float* out, const std::byte* b, int64_t) { decode_fp8(out, b, decoder); });
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
