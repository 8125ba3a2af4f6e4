// 16 outputs a vector, one per lane. Compiled for AVX-512, so it includes nothing whose inline
// functions another file could share.
#include <immintrin.h>

#include <type_traits>

#include "ops/linear/e4m3_bf16.h"
#include "ops/linear/gemm_kernels.h"

namespace fathom::gemm {
namespace {

constexpr int kTallRows = 6;  // Rows whose sums fit the registers, with four panels.
constexpr int kFewRows = 4;   // As many have room beside what decodes e4m3.

// What the loops below share: where a block of columns lies.
struct Block {
    const std::byte* a;
    int64_t a_bytes;
    const std::byte* b;
    int64_t b_bytes;
    int64_t cells;  // 64-byte pieces of a panel.
    float* acc;
    const float* scale;  // Of row 0; null: 1.
    int64_t scales;
    float b_scale;
};

__m512i cell_at(const Block& t, int panel, int64_t i) {
    return _mm512_loadu_si512(t.b + panel * t.b_bytes + i * 64);
}

__m512i four_bytes(const std::byte* p) {
    int dword;
    __builtin_memcpy(&dword, p, 4);
    return _mm512_set1_epi32(dword);
}

template <int kM, int kP>
void fold(const Block& t, const __m512 (&c)[kM][kP]) {
#pragma GCC unroll 8
    for (int m = 0; m < kM; ++m) {
        const float scale = t.scale != nullptr ? t.scale[m * t.scales] * t.b_scale : 1.0f;
#pragma GCC unroll 4
        for (int p = 0; p < kP; ++p) {
            float* acc = t.acc + m * kGroupOutputs + p * 16;
            const __m512 sum = _mm512_fmadd_ps(c[m][p], _mm512_set1_ps(scale), _mm512_load_ps(acc));
            _mm512_store_ps(acc, sum);
        }
    }
}

// The rows of the next call come from far when there are many: asks for their line
// when this call begins the one above.
template <int kM>
void ask_ahead(const Block& t, int64_t offset) {
    if (kM < kTallRows || offset % 64 != 0) return;
#pragma GCC unroll 8
    for (int m = kM; m < 2 * kM; ++m)
        _mm_prefetch(reinterpret_cast<const char*>(t.a + m * t.a_bytes + offset), _MM_HINT_T0);
}

struct Bf16 {
    template <int kM, int kP>
    static void run(const Block& t) {
        __m512 c[kM][kP] = {};
        for (int64_t i = 0; i < t.cells; ++i) {
            ask_ahead<kM>(t, i * 4);
            __m512bh w[kP];
#pragma GCC unroll 4
            for (int p = 0; p < kP; ++p) w[p] = (__m512bh)cell_at(t, p, i);
#pragma GCC unroll 8
            for (int m = 0; m < kM; ++m) {
                const auto x = (__m512bh)four_bytes(t.a + m * t.a_bytes + i * 4);
#pragma GCC unroll 4
                for (int p = 0; p < kP; ++p) c[m][p] = _mm512_dpbf16_ps(c[m][p], x, w[p]);
            }
        }
        fold(t, c);
    }
};

struct F32 {
    template <int kM, int kP>
    static void run(const Block& t) {
        const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
        // The masked form, as the plain one of GCC 12 warns of its own uninitialized variable.
        constexpr __mmask16 kAll = 0xffff;
        __m512 c[kM][kP] = {};
        for (int64_t i = 0; i < t.cells; ++i) {
            ask_ahead<kM>(t, i * 8);
            __m512 even[kP], odd[kP];
#pragma GCC unroll 4
            for (int p = 0; p < kP; ++p) {
                const __m512i w = cell_at(t, p, i);
                even[p] = _mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, w, 16));
                odd[p] = _mm512_castsi512_ps(_mm512_and_si512(w, upper));
            }
#pragma GCC unroll 8
            for (int m = 0; m < kM; ++m) {
                const std::byte* x = t.a + m * t.a_bytes + i * 8;
                const __m512 x0 = _mm512_castsi512_ps(four_bytes(x));
                const __m512 x1 = _mm512_castsi512_ps(four_bytes(x + 4));
#pragma GCC unroll 4
                for (int p = 0; p < kP; ++p) {
                    c[m][p] = _mm512_fmadd_ps(x0, even[p], c[m][p]);
                    c[m][p] = _mm512_fmadd_ps(x1, odd[p], c[m][p]);
                }
            }
        }
        fold(t, c);
    }
};

struct Int8 {
    template <int kM, int kP>
    static void run(const Block& t) {
        __m512i c[kM][kP];
#pragma GCC unroll 8
        for (int m = 0; m < kM; ++m)
#pragma GCC unroll 4
            for (int p = 0; p < kP; ++p)
                c[m][p] = _mm512_load_si512(t.acc + m * kGroupOutputs + p * 16);
        for (int64_t i = 0; i < t.cells; ++i) {
            ask_ahead<kM>(t, i * 4);
            __m512i w[kP];
#pragma GCC unroll 4
            for (int p = 0; p < kP; ++p) w[p] = cell_at(t, p, i);
#pragma GCC unroll 8
            for (int m = 0; m < kM; ++m) {
                const __m512i x = four_bytes(t.a + m * t.a_bytes + i * 4);
#pragma GCC unroll 4
                for (int p = 0; p < kP; ++p) c[m][p] = _mm512_dpbusd_epi32(c[m][p], x, w[p]);
            }
        }
#pragma GCC unroll 8
        for (int m = 0; m < kM; ++m)
#pragma GCC unroll 4
            for (int p = 0; p < kP; ++p)
                _mm512_store_si512(t.acc + m * kGroupOutputs + p * 16, c[m][p]);
    }
};

// 64 codes to two vectors of bf16 pairs. The 128 magnitudes are looked up, low and high byte.
struct DecoderBytes {
    alignas(64) unsigned char bytes[2][2][64];
};
constexpr DecoderBytes kDecoderBytes = [] {
    DecoderBytes table{};
    for (int b = 0; b < 2; ++b)
        for (int i = 0; i < 128; ++i)
            table.bytes[b][i / 64][i % 64] =
                static_cast<unsigned char>(e4m3_as_bf16(i) >> (b == 0 ? 0 : 8));
    return table;
}();

class Decoder {
public:
    Decoder() {
        for (int b = 0; b < 2; ++b)
            for (int half = 0; half < 2; ++half)
                table_[b][half] = _mm512_load_si512(kDecoderBytes.bytes[b][half]);
    }

    void decode(__m512i codes, __m512i (&pairs)[2]) const {
        const __m512i low = _mm512_permutex2var_epi8(table_[0][0], codes, table_[0][1]);
        const __m512i high = _mm512_permutex2var_epi8(table_[1][0], codes, table_[1][1]);
        // high | (codes & sign)
        const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
        const __m512i both = _mm512_ternarylogic_epi32(high, codes, sign, 0xf8);
        pairs[0] = _mm512_unpacklo_epi8(low, both);
        pairs[1] = _mm512_unpackhi_epi8(low, both);
    }

private:
    __m512i table_[2][2];
};

// A panel's block of columns, for more rows than that. The next block is asked for, into the second
// cache as the first is full: it arrives while this one is multiplied.
constexpr int64_t kDecodedPanel = kBlockK / 2 * 64;

void decode_panel(std::byte* out, const std::byte* codes) {
    const Decoder decoder;
    for (int64_t i = 0; i < kBlockK / 4 * 64; i += 64) {
        __m512i w[2];
        decoder.decode(_mm512_loadu_si512(codes + i), w);
        _mm_prefetch(reinterpret_cast<const char*>(codes + kBlockK / 4 * 64 + i), _MM_HINT_T1);
        _mm512_store_si512(out + 2 * i, w[0]);
        _mm512_store_si512(out + 2 * i + 64, w[1]);
    }
}

// A few rows, decoded on the way: nothing is written, and reading goes on without a pause.
struct Fp8 {
    template <int kM, int kP>
    static void run(const Block& t) {
        const Decoder decoder;
        __m512 c[kM][kP] = {};
        for (int64_t i = 0; i < t.cells; ++i) {
#pragma GCC unroll 4
            for (int p = 0; p < kP; ++p) {
                __m512i w[2];
                decoder.decode(cell_at(t, p, i), w);
#pragma GCC unroll 4
                for (int m = 0; m < kM; ++m) {
                    const std::byte* x = t.a + m * t.a_bytes + i * 8;
                    c[m][p] = _mm512_dpbf16_ps(c[m][p], (__m512bh)four_bytes(x), (__m512bh)w[0]);
                    c[m][p] =
                        _mm512_dpbf16_ps(c[m][p], (__m512bh)four_bytes(x + 4), (__m512bh)w[1]);
                }
            }
        }
        fold(t, c);
    }
};

// Runs f with kP = 4, 2 or 1 panels until all are done.
template <class F>
void for_panels(int64_t panels, F f) {
    int64_t p = 0;
    for (; p + 4 <= panels; p += 4) f.template operator()<4>(p);
    for (; p + 2 <= panels; p += 2) f.template operator()<2>(p);
    for (; p < panels; ++p) f.template operator()<1>(p);
}

Block at(const Block& t, int64_t row, int64_t panel) {
    Block part = t;
    part.a += row * t.a_bytes;
    part.b += panel * t.b_bytes;
    part.acc += row * kGroupOutputs + panel * 16;
    if (t.scale != nullptr) part.scale += row * t.scales;
    return part;
}

template <class Step, int kP>
void run_rows(const Block& t, int64_t rows) {
    int64_t r = 0;
    if constexpr (!std::is_same_v<Step, Fp8>)
        for (; r + kTallRows <= rows; r += kTallRows)
            Step::template run<kTallRows, kP>(at(t, r, 0));
    if (r + 4 <= rows) Step::template run<4, kP>(at(t, r, 0)), r += 4;
    if (r + 2 <= rows) Step::template run<2, kP>(at(t, r, 0)), r += 2;
    if (r < rows) Step::template run<1, kP>(at(t, r, 0));
}

template <class Step>
void run_block(const Block& t, int64_t rows, int64_t panels) {
    for_panels(panels, [&]<int kP>(int64_t p) { run_rows<Step, kP>(at(t, 0, p), rows); });
}

void clear(const Tile& t) {
    auto* acc = static_cast<float*>(t.acc);
    for (int64_t i = 0; i < t.rows * 4; ++i) _mm512_store_ps(acc + i * 16, _mm512_setzero_ps());
}

template <class Step>
void run_tile(const Tile& t, int64_t a_element, int64_t cell_columns) {
    clear(t);
    for (int64_t k = 0; k < t.K; k += kBlockK) {
        const int64_t columns = t.K - k < kBlockK ? t.K - k : kBlockK;
        const Block block{.a = t.a + k * a_element,
                          .a_bytes = t.a_bytes,
                          .b = t.b + k / cell_columns * 64,
                          .b_bytes = t.b_bytes,
                          .cells = (columns + cell_columns - 1) / cell_columns,
                          .acc = static_cast<float*>(t.acc)};
        // Panels of one block are a page each, and pages are best read one after the other: 35
        // GB/s, 19 with four at once.
        if (t.rows == 1 && t.K <= kBlockK)
            for (int64_t p = 0; p < t.panels; ++p) run_rows<Step, 1>(at(block, 0, p), 1);
        else
            run_block<Step>(block, t.rows, t.panels);
    }
}

}  // namespace

void avx512::bf16_bf16(const Tile& t) { run_tile<Bf16>(t, 2, 2); }
void avx512::f32_bf16(const Tile& t) { run_tile<F32>(t, 4, 2); }
void avx512::i8(const Tile& t) { run_tile<Int8>(t, 1, 4); }

void avx512::fp8(const Tile& t) {
    clear(t);
    for (int64_t k = 0; k < t.K; k += kBlockK) {
        Block block{.a = t.a + k * 2,
                    .a_bytes = t.a_bytes,
                    .b = t.b + k / 4 * 64,
                    .b_bytes = t.b_bytes,
                    .cells = kBlockK / 4,
                    .acc = static_cast<float*>(t.acc),
                    .scale = t.a_scale + k / kBlockK,
                    .scales = t.a_scales,
                    .b_scale = t.b_scale[k / kBlockK]};
        if (t.rows <= kFewRows) {
            run_block<Fp8>(block, t.rows, t.panels);
            continue;
        }
        for (int64_t p = 0; p < t.panels; ++p)
            decode_panel(t.scratch + p * kDecodedPanel, block.b + p * block.b_bytes);
        block.b = t.scratch;
        block.b_bytes = kDecodedPanel;
        block.cells = kBlockK / 2;
        run_block<Bf16>(block, t.rows, t.panels);
    }
}

}  // namespace fathom::gemm
