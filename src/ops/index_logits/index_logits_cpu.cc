#include <algorithm>
#include <cstring>

#include "base/isa.h"
#include "ops/index_logits/index_logits.h"
#include "ops/index_logits/index_logits_score.h"
#include "ops/lanes_avx2.h"
#include "ops/paged_rows.h"
#include "tensor/fp8.h"

namespace fathom {
namespace {

constexpr int64_t kD = 128;

template <class X>
float load(const uint8_t* from, int64_t i) {
    X value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof value), sizeof value);
    return to_float(value);
}

float key_scale(const uint8_t* block, int64_t B, int64_t offset, IndexFormat format) {
    return format == IndexFormat::fp8 ? load<float>(block + B * kD, offset) : 1.0f;
}

template <class X>
void plain_token(float* logits, const X* q, int64_t q_stride, const float* weights, int64_t H,
                 const PagedRows& rows, int64_t length, IndexFormat format) {
    const auto* q_bytes = reinterpret_cast<const uint8_t*>(q);
    for (int64_t p = 0; p < length; ++p) {
        const uint8_t* block = rows.block(p);
        const uint8_t* key = block + rows.offset(p) * kD * static_cast<int64_t>(sizeof(X));
        float sum = 0;
        for (int64_t h = 0; h < H; ++h) {
            const uint8_t* head = q_bytes + h * q_stride * static_cast<int64_t>(sizeof(X));
            float dot = 0;
            for (int64_t d = 0; d < kD; ++d) dot += load<X>(head, d) * load<X>(key, d);
            sum += weights[h] * (dot < 0 ? 0 : dot);
        }
        logits[p] = sum * key_scale(block, rows.block_tokens, rows.offset(p), format);
    }
}

template <class X>
void plain_tokens(const Tensor& logits, const Tensor& q, const Tensor& weights, const Tensor& cache,
                  const PagedTokens& at, IndexFormat format) {
    for (int64_t t = 0; t < q.dim(0); ++t) {
        const int64_t length = at.positions.as<int32_t>()[t] + int64_t{1};
        CHECK(0 <= length && length <= logits.dim(1), "position ", length - 1, " of ", logits);
        plain_token(logits.as<float>() + t * logits.row_stride(), q.as<X>() + t * q.stride[0],
                    q.stride[1], weights.as<float>() + t * weights.row_stride(), q.dim(1),
                    PagedRows(cache, at, at.sequences.as<int32_t>()[t]), length, format);
    }
}

}  // namespace

void cpu::plain::index_logits(Stream&, Tensor logits, Tensor q, Tensor weights, Tensor cache,
                              const PagedTokens& at, IndexFormat format) {
    switch (format) {
        case IndexFormat::f32: return plain_tokens<float>(logits, q, weights, cache, at, format);
        case IndexFormat::bf16: return plain_tokens<bf16>(logits, q, weights, cache, at, format);
        case IndexFormat::fp8: return plain_tokens<f8e4m3>(logits, q, weights, cache, at, format);
    }
}

namespace {

using cpu::IndexKernels, cpu::kTileKeys;

struct FloatLanes : F32x8 {
    using Element = float;
    using Factor = __m256;
    static constexpr int kSteps = cpu::kIndexDim, kVectors = 2, kHeads = 4;

    static Factor broadcast(const Element* from) { return set1(*from); }
    static Factor load_keys(const Element* from) { return load(from); }
    static Vector dot(Vector sum, Factor a, Factor b) { return fma(a, b, sum); }
};

template <class X>
__m256 load_x8(const uint8_t* from);
template <>
__m256 load_x8<float>(const uint8_t* from) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(from));
}
template <>
__m256 load_x8<bf16>(const uint8_t* from) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
template <>
__m256 load_x8<f8e4m3>(const uint8_t* from) {
    return decode_f8e4m3_x8(from);
}

template <class X>
void expand_avx2(void* query, const uint8_t* heads, int64_t stride, int64_t H) {
    auto* out = static_cast<float*>(query);
    for (int64_t h = 0; h < H; ++h)
        for (int64_t d = 0; d < kD; d += 8, out += 8)
            F32x8::store(out, load_x8<X>(heads + h * stride + d * static_cast<int64_t>(sizeof(X))));
}

template <class X>
void load_avx2(void* tile, const uint8_t* const* keys) {
    constexpr int kKeys = FloatLanes::kVectors * FloatLanes::kLanes;
    auto* out = static_cast<float*>(tile);
    for (int key = 0; key < kTileKeys; key += 8)
        for (int64_t d = 0; d < kD; d += 8) {
            __m256 rows[8];
            for (int i = 0; i < 8; ++i)
                rows[i] = load_x8<X>(keys[key + i] + d * static_cast<int64_t>(sizeof(X)));
            transpose_8x8(out + (key / kKeys * kD + d) * kKeys + key % kKeys, kKeys, rows);
        }
}

template <class X>
IndexKernels kernels_avx2() {
    return {.expand_query = expand_avx2<X>,
            .load_tile = load_avx2<X>,
            .score = cpu::score_tile<FloatLanes>};
}

IndexKernels kernels_of(IndexFormat format) {
    const bool avx512 = isa() == Isa::avx512;
    switch (format) {
        case IndexFormat::f32:
            return avx512 ? cpu::index_kernels_avx512_f32() : kernels_avx2<float>();
        case IndexFormat::bf16:
            return avx512 ? cpu::index_kernels_avx512_bf16() : kernels_avx2<bf16>();
        case IndexFormat::fp8:
            return avx512 ? cpu::index_kernels_avx512_f8e4m3() : kernels_avx2<f8e4m3>();
    }
    CHECK(false, "index format ", static_cast<int>(format));
}

// Tokens that share the tiles they decode: neighbours of one sequence.
constexpr int64_t kGroupTokens = 8;
// Keys of a piece of work: the smallest that hides the expansion of the queries.
constexpr int64_t kPieceKeys = 256;

struct Call {
    Tensor logits, q, weights, cache;
    const PagedTokens& at;
    IndexFormat format;
    IndexKernels kernels;
};

// 64 keys from position `first` on, those beyond `last` being copies of it. Asks for the next 64 of
// `context`: from memory they would take as long as the scores of these.
void load_tile(const Call& c, const PagedRows& rows, int64_t first, int64_t last, int64_t context,
               void* tile, float* scales) {
    const int64_t B = rows.block_tokens, bytes = kD * size_of(c.q.dtype);
    const uint8_t* keys[kTileKeys];
    const uint8_t* block = rows.block(first);
    int64_t offset = rows.offset(first), p = first;
    const auto advance = [&] {
        ++p;
        if (++offset < B) return;
        offset = 0;
        block = rows.block(p);
    };
    for (int i = 0; i < kTileKeys; ++i) {
        keys[i] = block + offset * bytes;
        scales[i] = key_scale(block, B, offset, c.format);
        if (p < last) advance();
    }
    while (p + 1 < std::min(first + 2 * kTileKeys, context)) {
        advance();
        for (int64_t i = 0; i < bytes; i += 64)
            _mm_prefetch(reinterpret_cast<const char*>(block + offset * bytes + i), _MM_HINT_T0);
    }
    c.kernels.load_tile(tile, keys);
}

// The keys [first_key, end_key) of `context` for tokens [begin, end), which are of one sequence.
void score_piece(const Call& c, int64_t begin, int64_t end, int64_t first_key, int64_t end_key,
                 int64_t context, std::span<std::byte> scratch) {
    const int64_t H = c.q.dim(1), query_bytes = H * cpu::kQueryHeadBytes;
    CHECK(kGroupTokens * query_bytes + cpu::kTileBytes <= static_cast<int64_t>(scratch.size()), H,
          " heads");
    std::byte* tile = scratch.data();
    std::byte* queries = tile + cpu::kTileBytes;
    for (int64_t t = begin; t < end; ++t) {
        const int64_t size = size_of(c.q.dtype);
        c.kernels.expand_query(queries + (t - begin) * query_bytes,
                               c.q.as<uint8_t>() + t * c.q.stride[0] * size, c.q.stride[1] * size,
                               H);
    }
    const PagedRows rows(c.cache, c.at, c.at.sequences.as<int32_t>()[begin]);
    float scales[kTileKeys], scores[kTileKeys];
    for (int64_t key = first_key; key < end_key; key += kTileKeys) {
        load_tile(c, rows, key, end_key - 1, context, tile, scales);
        for (int64_t t = begin; t < end; ++t) {
            const int64_t count =
                std::min<int64_t>(c.at.positions.as<int32_t>()[t] + int64_t{1} - key, kTileKeys);
            if (count <= 0) continue;
            c.kernels.score(scores, queries + (t - begin) * query_bytes,
                            c.weights.as<float>() + t * c.weights.row_stride(), H, tile, scales);
            std::copy_n(scores, count, c.logits.as<float>() + t * c.logits.row_stride() + key);
        }
    }
}

// Tokens [begin, end) of one sequence, their longest context, and the number of pieces before.
struct Group {
    int32_t begin, end, keys, pieces_before;
};

// Returns how many groups there are; the last entry only counts the pieces.
int64_t make_groups(const Call& c, Group* groups) {
    const auto* positions = c.at.positions.as<int32_t>();
    const auto* sequences = c.at.sequences.as<int32_t>();
    const int64_t T = c.q.dim(0);
    int64_t count = 0;
    int32_t pieces = 0;
    for (int32_t t = 0; t < T;) {
        Group group{.begin = t, .end = t, .keys = 0, .pieces_before = pieces};
        for (; t < T && t - group.begin < kGroupTokens && sequences[t] == sequences[group.begin];
             ++t) {
            CHECK(0 <= positions[t] && positions[t] < c.logits.dim(1), "position ", positions[t],
                  " of ", c.logits);
            group.keys = std::max(group.keys, positions[t] + 1);
        }
        group.end = t;
        pieces += static_cast<int32_t>((group.keys + kPieceKeys - 1) / kPieceKeys);
        groups[count++] = group;
    }
    groups[count].pieces_before = pieces;
    return count;
}

}  // namespace

void cpu::index_logits(Stream& s, Tensor logits, Tensor q, Tensor weights, Tensor cache,
                       const PagedTokens& at, IndexFormat format) {
    const Call c{logits, q, weights, cache, at, format, kernels_of(format)};
    ArenaScope scope(*s.arena);
    auto* groups =
        s.arena->tmp(DType::u8, (q.dim(0) + 1) * static_cast<int64_t>(sizeof(Group))).as<Group>();
    const int64_t count = make_groups(c, groups);
    const int64_t pieces = groups[count].pieces_before;
    // A piece of 64 heads and one token takes 15 us or more: enough to wake a thread for.
    const int64_t grain = std::max<int64_t>(1, 64 * count / (q.dim(1) * q.dim(0)));
    s.workers->parallel_for(pieces, grain, [&](int64_t begin, int64_t end, int worker) {
        for (int64_t piece = begin; piece < end; ++piece) {
            const Group& group =
                *(std::upper_bound(groups, groups + count, piece,
                                   [](int64_t p, const Group& g) { return p < g.pieces_before; }) -
                  1);
            const int64_t first = (piece - group.pieces_before) * kPieceKeys;
            score_piece(c, group.begin, group.end, first,
                        std::min<int64_t>(first + kPieceKeys, group.keys), group.keys,
                        s.workers->scratch(worker));
        }
    });
}

}  // namespace fathom
