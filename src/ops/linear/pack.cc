#include "ops/linear/pack.h"

#include <immintrin.h>

#include <algorithm>

namespace fathom {
namespace {

constexpr int64_t kCellBytes = 64;  // Four bytes for each of 16 outputs.

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

bool is_int8(Linear::Kind kind) {
    return kind == Linear::Kind::w8a8_static || kind == Linear::Kind::w8a8_dynamic;
}
int64_t element_bytes(Linear::Kind kind) { return kind == Linear::Kind::bf16 ? 2 : 1; }

__m256i load8(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
void store8(void* p, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }

// out[i][j] = in[j][i] of 8 x 8 dwords; rows of `in` row_bytes apart.
void transpose(__m256i (&out)[8], const char* in, int64_t row_bytes) {
    __m256i pairs[8], quads[8];
    for (int i = 0; i < 8; i += 2) {
        const __m256i a = load8(in + i * row_bytes), b = load8(in + (i + 1) * row_bytes);
        pairs[i] = _mm256_unpacklo_epi32(a, b);
        pairs[i + 1] = _mm256_unpackhi_epi32(a, b);
    }
    for (int i = 0; i < 8; i += 4)
        for (int h = 0; h < 2; ++h) {
            quads[i + 2 * h] = _mm256_unpacklo_epi64(pairs[i + h], pairs[i + 2 + h]);
            quads[i + 2 * h + 1] = _mm256_unpackhi_epi64(pairs[i + h], pairs[i + 2 + h]);
        }
    for (int i = 0; i < 4; ++i) {
        out[i] = _mm256_permute2x128_si256(quads[i], quads[i + 4], 0x20);
        out[i + 4] = _mm256_permute2x128_si256(quads[i], quads[i + 4], 0x31);
    }
}

// [4 n][2 h][2 k] of bytes to [2 h][4 n][2 k] in each 16-byte lane.
__m256i split_pairs(__m256i v) {
    const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(order));
}

// The sum of the four signed bytes of each dword.
__m256i sum_bytes(__m256i v) {
    const __m256i words = _mm256_maddubs_epi16(_mm256_set1_epi8(1), v);
    return _mm256_madd_epi16(words, _mm256_set1_epi16(1));
}

// 16 whole rows, the columns of whole cells of eight: what nearly every byte goes through. Returns
// how many bytes of each row are done.
template <Linear::Kind kKind>
int64_t pack_cells(char* panel, int32_t* sums, const char* rows, int64_t row_bytes, int64_t bytes) {
    __m256i total[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    int64_t b = 0;
    for (; b + 32 <= bytes; b += 32)
        for (int half = 0; half < 2; ++half) {
            __m256i cells[8];
            transpose(cells, rows + half * 8 * row_bytes + b, row_bytes);
            for (int i = 0; i < 8; ++i) {
                if constexpr (kKind == Linear::Kind::fp8) cells[i] = split_pairs(cells[i]);
                if constexpr (kKind == Linear::Kind::w8a8_dynamic)
                    total[half] = _mm256_add_epi32(total[half], sum_bytes(cells[i]));
                store8(panel + (b / 4 + i) * kCellBytes + half * 32, cells[i]);
            }
        }
    if constexpr (kKind == Linear::Kind::w8a8_dynamic) {
        store8(sums, total[0]);
        store8(sums + 8, total[1]);
    }
    return b;
}

int64_t pack_whole(Linear::Kind kind, char* panel, int32_t* sums, const char* rows,
                   int64_t row_bytes, int64_t bytes) {
    using enum Linear::Kind;
    switch (kind) {
        case bf16: return pack_cells<bf16>(panel, sums, rows, row_bytes, bytes);
        case fp8: return pack_cells<fp8>(panel, sums, rows, row_bytes, bytes);
        case w8a8_static:
        case w8a8_dynamic: return pack_cells<w8a8_dynamic>(panel, sums, rows, row_bytes, bytes);
    }
    CHECK(false, "kind ", static_cast<int>(kind));
}

// Element by element, from column k on: ragged ends.
void pack_rest(Linear::Kind kind, char* panel, int32_t* sums, int64_t K, const char* rows,
               int64_t row_bytes, int64_t count, int64_t k_begin) {
    const int64_t size = element_bytes(kind);
    for (int64_t n = 0; n < count; ++n)
        for (int64_t k = k_begin; k < K; ++k) {
            const char* from = rows + n * row_bytes + k * size;
            std::memcpy(panel + packed_offset(kind, K, n, k), from, size);
            if (is_int8(kind)) sums[n] += static_cast<signed char>(*from);
        }
}

}  // namespace

int64_t panel_bytes(Linear::Kind kind, int64_t K) {
    return round_up(K * element_bytes(kind), 4) / 4 * kCellBytes;
}

int64_t packed_bytes(Linear::Kind kind, int64_t N, int64_t K) {
    CHECK(N > 0 && K > 0, "a weight of ", N, " x ", K);
    const int64_t outputs = round_up(N, kPanelOutputs);
    return outputs / kPanelOutputs * panel_bytes(kind, K) + (is_int8(kind) ? outputs * 4 : 0);
}

int64_t packed_offset(Linear::Kind kind, int64_t K, int64_t n, int64_t k) {
    const int64_t size = element_bytes(kind), lane = n % kPanelOutputs, b = k * size % 4;
    const int64_t cell = n / kPanelOutputs * panel_bytes(kind, K) + k * size / 4 * kCellBytes;
    if (kind != Linear::Kind::fp8) return cell + lane * 4 + b;
    return cell + lane / 4 * 16 + b / 2 * 8 + lane % 4 * 2 + b % 2;
}

void pack_rows(Linear::Kind kind, void* packed, int64_t N, int64_t K, const void* rows,
               int64_t row_bytes, int64_t begin, int64_t end) {
    CHECK(0 <= begin && begin <= end && end <= N, begin, "..", end, " of ", N);
    CHECK(begin % kPanelOutputs == 0 && (end % kPanelOutputs == 0 || end == N),
          "a panel has one writer: ", begin, "..", end, " of ", N);
    const int64_t bytes = panel_bytes(kind, K);
    char* const base = static_cast<char*>(packed);
    const char* from = static_cast<const char*>(rows);
    for (int64_t n = begin; n < end; n += kPanelOutputs, from += kPanelOutputs * row_bytes) {
        const int64_t count = std::min(kPanelOutputs, end - n);
        char* const panel = base + n / kPanelOutputs * bytes;
        int32_t none[kPanelOutputs], *sums = none;
        if (is_int8(kind)) sums = const_cast<int32_t*>(packed_sums(packed, N, K)) + n;
        std::fill_n(sums, kPanelOutputs, 0);
        const int64_t row = K * element_bytes(kind);
        int64_t done = 0;
        if (count == kPanelOutputs) done = pack_whole(kind, panel, sums, from, row_bytes, row);
        if (done == row) continue;
        std::fill(panel + done / 4 * kCellBytes, panel + bytes, 0);
        pack_rest(kind, panel, sums, K, from, row_bytes, count, done / element_bytes(kind));
    }
}

void unpack_row(Linear::Kind kind, void* row, const void* packed, int64_t K, int64_t n) {
    const int64_t size = element_bytes(kind);
    for (int64_t k = 0; k < K; ++k)
        std::memcpy(static_cast<char*>(row) + k * size,
                    static_cast<const char*>(packed) + packed_offset(kind, K, n, k), size);
}

const int32_t* packed_sums(const void* packed, int64_t N, int64_t K) {
    const int64_t panels = round_up(N, kPanelOutputs) / kPanelOutputs;
    return reinterpret_cast<const int32_t*>(static_cast<const char*>(packed) +
                                            panels * panel_bytes(Linear::Kind::w8a8_dynamic, K));
}

}  // namespace fathom
