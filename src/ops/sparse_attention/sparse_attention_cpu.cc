#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/isa.h"
#include "ops/lanes_avx2.h"
#include "ops/paged_rows.h"
#include "ops/sparse_attention/sparse_attention.h"
#include "ops/sparse_attention/sparse_attention_lanes.h"
#include "tensor/fp8.h"

namespace fathom {
namespace {

constexpr int64_t kC = 512, kR = 64, kWidth = kC + kR;

template <class X>
float load(const uint8_t* from, int64_t i) {
    X value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof value), sizeof value);
    return to_float(value);
}

// The latent and the rotated part of one cached token.
void read_row(float* out, const uint8_t* row, LatentFormat format) {
    switch (format) {
        case LatentFormat::f32:
            for (int64_t i = 0; i < kWidth; ++i) out[i] = load<float>(row, i);
            return;
        case LatentFormat::bf16:
            for (int64_t i = 0; i < kWidth; ++i) out[i] = load<bf16>(row, i);
            return;
        case LatentFormat::fp8:
            for (int64_t i = 0; i < kC; ++i)  // Exact: a code times a power of two.
                out[i] = load<f8e4m3>(row, i) * load<float>(row + kC, i / 128);
            for (int64_t i = 0; i < kR; ++i) out[kC + i] = load<bf16>(row + kC + 4 * (kC / 128), i);
            return;
    }
}

// One head over the n keys in `keys`; `scores` is for its own use. Returns the lse.
template <class X>
float plain_head(float* o, const X* q_latent, const X* q_pe, const std::vector<float>& keys,
                 std::vector<float>& scores, float scale) {
    const size_t n = keys.size() / kWidth;
    scores.resize(n);
    float top = -std::numeric_limits<float>::infinity();
    for (size_t i = 0; i < n; ++i) {
        const float* key = &keys[i * kWidth];
        float dot = 0;
        for (int64_t c = 0; c < kC; ++c) dot += to_float(q_latent[c]) * key[c];
        for (int64_t r = 0; r < kR; ++r) dot += to_float(q_pe[r]) * key[kC + r];
        scores[i] = dot * scale;
        top = std::max(top, scores[i]);
    }
    float sum = 0;
    std::fill_n(o, kC, 0.0f);
    for (size_t i = 0; i < n; ++i) {
        const float p = std::exp(scores[i] - top);
        sum += p;
        for (int64_t c = 0; c < kC; ++c) o[c] += p * keys[i * kWidth + c];
    }
    if (n == 0) return std::numeric_limits<float>::infinity();
    for (int64_t c = 0; c < kC; ++c) o[c] /= sum;
    return top + std::log(sum);
}

void store(float* out, float v) { *out = v; }
void store(bf16* out, float v) { *out = to_bf16(v); }

template <class X, class O>
void plain_tokens(const Tensor& o, const Tensor& lse, const Tensor& q_latent, const Tensor& q_pe,
                  const Tensor& cache, const PagedTokens& at, const Tensor& indices,
                  LatentFormat format, float scale) {
    std::vector<float> keys, scores;
    float o_row[kC];
    for (int64_t t = 0; t < o.dim(0); ++t) {
        const PagedRows rows(cache, at, at.sequences.as<int32_t>()[t]);
        keys.clear();
        for (int64_t i = 0; i < indices.dim(1); ++i) {
            const int64_t p = indices.as<int32_t>()[t * indices.row_stride() + i];
            if (p < 0) continue;
            keys.resize(keys.size() + kWidth);
            read_row(&keys[keys.size() - kWidth], rows.block(p) + rows.offset(p) * cache.stride[1],
                     format);
        }
        for (int64_t h = 0; h < o.dim(1); ++h) {
            const float head_lse = plain_head(
                o_row, q_latent.as<X>() + t * q_latent.stride[0] + h * q_latent.stride[1],
                q_pe.as<X>() + t * q_pe.stride[0] + h * q_pe.stride[1], keys, scores, scale);
            O* out = o.as<O>() + t * o.stride[0] + h * o.stride[1];
            for (int64_t c = 0; c < kC; ++c) store(out + c, o_row[c]);
            if (lse.data != nullptr) lse.as<float>()[t * lse.row_stride() + h] = head_lse;
        }
    }
}

}  // namespace

void cpu::plain::sparse_attention(Stream&, Tensor o, Tensor lse, Tensor q_latent, Tensor q_pe,
                                  Tensor cache, const PagedTokens& at, Tensor indices,
                                  LatentFormat format, float scale) {
    const bool q_f32 = q_latent.dtype == DType::f32, o_f32 = o.dtype == DType::f32;
    const auto run = q_f32 ? (o_f32 ? plain_tokens<float, float> : plain_tokens<float, bf16>)
                           : (o_f32 ? plain_tokens<bf16, float> : plain_tokens<bf16, bf16>);
    run(o, lse, q_latent, q_pe, cache, at, indices, format, scale);
}

namespace {

using cpu::AttentionKernels, cpu::AttentionState, cpu::kTileKeys;

struct FloatLanes : F32x8 {
    using Element = float;
    using Factor = __m256;
    static constexpr int kSteps = kWidth, kGroupMax = 2, kScores = 8, kColumns = 2;
    static constexpr int kValueStride = kWidth;

    static Factor broadcast(const Element* from) { return set1(*from); }
    static Factor load_elements(const Element* from) { return load(from); }
    static Vector dot(Vector sum, Factor a, Factor b) { return fma(a, b, sum); }
    static const float* values_of(const void* keys, const float*) {
        return static_cast<const float*>(keys);
    }
};

template <class X>
void load_query_avx2(void* query, const uint8_t* q_latent, int64_t latent_stride,
                     const uint8_t* q_pe, int64_t pe_stride, int64_t H) {
    const int64_t group = cpu::group_vectors<FloatLanes>(H) * FloatLanes::kLanes;
    const int64_t padded = cpu::padded<FloatLanes>(H);
    for (int64_t h = 0; h < padded; ++h) {
        float* to = static_cast<float*>(query) + h / group * group * kWidth + h % group;
        for (int64_t c = 0; c < kC; ++c)
            to[c * group] = h < H ? load<X>(q_latent + h * latent_stride, c) : 0;
        for (int64_t r = 0; r < kR; ++r)
            to[(kC + r) * group] = h < H ? load<X>(q_pe + h * pe_stride, r) : 0;
    }
}

template <LatentFormat kFormat>
void load_keys_avx2(void* keys, float*, const uint8_t* const* rows, int begin, int end) {
    for (int i = begin; i < end; ++i) {
        float* key = static_cast<float*>(keys) + i * kWidth;
        if constexpr (kFormat == LatentFormat::fp8) {
            for (int64_t c = 0; c < kC; c += 8)
                F32x8::store(key + c, F32x8::mul(decode_f8e4m3_x8(rows[i] + c),
                                                 F32x8::set1(load<float>(rows[i] + kC, c / 128))));
            for (int64_t r = 0; r < kR; ++r) key[kC + r] = load<bf16>(rows[i] + kC + kC / 32, r);
        } else {
            read_row(key, rows[i], kFormat);
        }
    }
}

AttentionKernels kernels_avx2(bool q_is_bf16, LatentFormat format) {
    const auto load_keys = format == LatentFormat::fp8    ? load_keys_avx2<LatentFormat::fp8>
                           : format == LatentFormat::bf16 ? load_keys_avx2<LatentFormat::bf16>
                                                          : load_keys_avx2<LatentFormat::f32>;
    return {.lanes = FloatLanes::kLanes,
            .steps = FloatLanes::kSteps,
            .load_query = q_is_bf16 ? load_query_avx2<bf16> : load_query_avx2<float>,
            .load_keys = load_keys,
            .score = cpu::score<FloatLanes>,
            .softmax = cpu::softmax<FloatLanes>,
            .accumulate = cpu::accumulate<FloatLanes>,
            .merge = cpu::merge<FloatLanes>,
            .finish = cpu::finish_in_order<FloatLanes>};
}

// A token's keys are taken in runs of this many, each a softmax of its own, which are merged in
// order: so one token can keep several threads busy, and its bits do not tell whether it did.
constexpr int64_t kRunKeys = 512;
// Pairs of a head and a key that are worth waking a thread for: some 50 us of work.
constexpr int64_t kPairs = 4096;
// Tokens that try to share dequantized tiles, and the heads that they have together at most.
constexpr int64_t kGroupTokens = 8, kGroupHeads = 128;

struct Call {
    Tensor o, lse, q_latent, q_pe, cache;
    const PagedTokens& at;
    Tensor indices;
    LatentFormat format;
    float scale;
    AttentionKernels kernels;

    int64_t tokens() const { return o.dim(0); }
    int64_t heads() const { return o.dim(1); }
    int64_t padded_heads() const {
        return (heads() + kernels.lanes - 1) / kernels.lanes * kernels.lanes;
    }
    int64_t query_bytes() const { return padded_heads() * kernels.steps * 4; }
    int64_t state_bytes() const { return (heads() * kC + 2 * padded_heads()) * 4; }
    PagedRows rows(int64_t t) const { return PagedRows(cache, at, at.sequences.as<int32_t>()[t]); }
};

// Hands out pieces of memory that are a multiple of 64 bytes long.
class Pieces {
public:
    explicit Pieces(std::span<std::byte> memory) : left_(memory) {}
    template <class X>
    X* take(int64_t count) {
        const size_t bytes = (count * sizeof(X) + 63) / 64 * 64;
        CHECK(bytes <= left_.size(), "scratch of ", left_.size(), " bytes left, wanted ", bytes);
        auto* piece = reinterpret_cast<X*>(left_.data());
        left_ = left_.subspan(bytes);
        return piece;
    }

private:
    std::span<std::byte> left_;
};

AttentionState state_at(const Call& c, float* memory) {
    float* top = memory + c.heads() * kC;
    return {.o = memory, .top = top, .sum = top + c.padded_heads(), .empty = true};
}

// The positions of a token without the -1 among them.
struct Keys {
    const int32_t* positions;
    int64_t count;
};

// They usually are the front of the row already; else `copy` [K] takes them.
Keys keys_of(const Call& c, int64_t t, int32_t* copy) {
    const int64_t K = c.indices.dim(1);
    const int32_t* row = c.indices.as<int32_t>() + t * c.indices.row_stride();
    int32_t count = 0, in_front = 0;
    for (int64_t i = 0; i < K; ++i) count += row[i] >= 0;
    for (int64_t i = 0; i < count; ++i) in_front += row[i] >= 0;
    if (in_front == count) return {row, count};
    int64_t kept = 0;
    for (int64_t i = 0; i < K; ++i)
        if (row[i] >= 0) copy[kept++] = row[i];
    return {copy, kept};
}

// Up to 64 dequantized keys, and what can be kept of them for the next token.
class Tile {
public:
    Tile(const Call& c, Pieces& pieces)
        : call_(c),
          keys_(pieces.take<uint32_t>(kTileKeys * c.kernels.steps)),
          values_(pieces.take<float>(kTileKeys * kC)) {}

    // Makes the first n keys those at `positions`; `ahead` more are soon wanted.
    void load(const PagedRows& rows, const int32_t* positions, int n, int64_t ahead) {
        const auto kept = static_cast<int>(
            std::mismatch(positions, positions + std::min(n, count_), positions_).first -
            positions);
        if (kept == n) return;
        const uint8_t* addresses[kTileKeys];
        for (int i = kept; i < n; ++i) {
            positions_[i] = positions[i];
            addresses[i] = address(rows, positions[i]);
        }
        for (int64_t i = n; i < n + std::min<int64_t>(ahead, kTileKeys); ++i)
            for (int64_t byte = 0; byte < call_.cache.stride[1]; byte += 64)
                _mm_prefetch(reinterpret_cast<const char*>(address(rows, positions[i]) + byte),
                             _MM_HINT_T1);
        call_.kernels.load_keys(keys_, values_, addresses, kept, n);
        count_ = n;
    }
    const void* keys() const { return keys_; }
    const float* values() const { return values_; }

private:
    const uint8_t* address(const PagedRows& rows, int64_t position) const {
        return rows.block(position) + rows.offset(position) * call_.cache.stride[1];
    }

    const Call& call_;
    uint32_t* keys_;
    float* values_;
    int32_t positions_[kTileKeys];
    int count_ = 0;
};

// What one thread works with.
struct Desk {
    Desk(const Call& c, std::span<std::byte> scratch)
        : pieces(scratch),
          tile(c, pieces),
          scores(pieces.take<float>(kTileKeys * c.padded_heads())),
          work(pieces.take<float>(2 * c.padded_heads())) {}

    Pieces pieces;
    Tile tile;
    float* scores;
    float* work;
};

// Adds the keys [begin, end) of a token, at most a tile, to `state`.
void attend_tile(const Call& c, Desk& desk, const void* query, const PagedRows& rows, Keys keys,
                 int64_t begin, int64_t end, AttentionState& state) {
    const int64_t H = c.heads();
    const auto n = static_cast<int>(end - begin);
    desk.tile.load(rows, keys.positions + begin, n, keys.count - end);
    c.kernels.score(desk.scores, query, desk.tile.keys(), H, n);
    c.kernels.softmax(desk.scores, state, desk.work, H, n, c.scale);
    c.kernels.accumulate(state, desk.work, desk.scores, desk.tile.keys(), desk.tile.values(), H, n);
    state.empty = false;
}

void load_query(const Call& c, int64_t t, void* query) {
    const int64_t size = size_of(c.q_latent.dtype);
    c.kernels.load_query(query, c.q_latent.as<uint8_t>() + t * c.q_latent.stride[0] * size,
                         c.q_latent.stride[1] * size,
                         c.q_pe.as<uint8_t>() + t * c.q_pe.stride[0] * size,
                         c.q_pe.stride[1] * size, c.heads());
}

// Adds a run's softmax to the token's. The first one is the token's.
void merge(const Call& c, Desk& desk, AttentionState& into, const AttentionState& from) {
    if (from.empty) return;
    CHECK(!into.empty, "a run before the first");
    c.kernels.merge(into, from, desk.work, c.heads());
}

void write_token(const Call& c, int64_t t, const AttentionState& state) {
    float row[kC];
    for (int64_t h = 0; h < c.heads(); ++h) {
        if (state.empty) {
            std::fill_n(row, kC, 0.0f);
        } else {
            c.kernels.finish(row, state.o + h * kC, state.sum[h]);
        }
        const int64_t at = t * c.o.stride[0] + h * c.o.stride[1];
        if (c.o.dtype == DType::f32) std::copy_n(row, kC, c.o.as<float>() + at);
        if (c.o.dtype == DType::bf16)
            for (int64_t i = 0; i < kC; ++i) store(c.o.as<bf16>() + at + i, row[i]);
        if (c.lse.data == nullptr) continue;
        c.lse.as<float>()[t * c.lse.row_stride() + h] = state.empty
                                                            ? std::numeric_limits<float>::infinity()
                                                            : state.top[h] + std::log(state.sum[h]);
    }
}

// Tokens [begin, end) of one sequence, whole.
void attend_group(const Call& c, int64_t begin, int64_t end, std::span<std::byte> scratch) {
    Desk desk(c, scratch);
    const PagedRows rows = c.rows(begin);
    const int64_t count = end - begin;
    Keys keys[kGroupTokens];
    AttentionState states[kGroupTokens], runs[kGroupTokens];
    std::byte* queries[kGroupTokens];
    int64_t longest = 0;
    for (int64_t i = 0; i < count; ++i) {
        keys[i] = keys_of(c, begin + i, desk.pieces.take<int32_t>(c.indices.dim(1)));
        longest = std::max(longest, keys[i].count);
        queries[i] = desk.pieces.take<std::byte>(c.query_bytes());
        load_query(c, begin + i, queries[i]);
        states[i] = state_at(c, desk.pieces.take<float>(c.state_bytes() / 4));
        runs[i] = state_at(c, desk.pieces.take<float>(c.state_bytes() / 4));
    }
    for (int64_t run = 0; run < longest; run += kRunKeys) {
        for (int64_t i = 0; i < count; ++i) runs[i].empty = true;
        for (int64_t first = run; first < run + kRunKeys; first += kTileKeys)
            for (int64_t i = 0; i < count; ++i) {
                const int64_t last = std::min<int64_t>(first + kTileKeys, keys[i].count);
                if (first >= last) continue;
                attend_tile(c, desk, queries[i], rows, keys[i], first, last,
                            run == 0 ? states[i] : runs[i]);
            }
        for (int64_t i = 0; i < count; ++i) merge(c, desk, states[i], runs[i]);
    }
    for (int64_t i = 0; i < count; ++i) write_token(c, begin + i, states[i]);
}

// How many neighbours from `begin` on one group takes.
int64_t group_end(const Call& c, int64_t begin, int64_t tokens_max) {
    const auto* sequences = c.at.sequences.as<int32_t>();
    int64_t end = begin + 1;
    while (end < c.tokens() && end - begin < tokens_max && sequences[end] == sequences[begin])
        ++end;
    return end;
}

void attend_tokens(Stream& s, const Call& c, int64_t grain) {
    const int64_t tokens_max = std::clamp(kGroupHeads / c.heads(), int64_t{1}, kGroupTokens);
    s.workers->parallel_for(c.tokens(), grain, [&](int64_t begin, int64_t end, int worker) {
        while (begin < end) {
            const int64_t next = std::min(end, group_end(c, begin, tokens_max));
            attend_group(c, begin, next, s.workers->scratch(worker));
            begin = next;
        }
    });
}

// Too few tokens for the threads: a run of keys is a piece of work.
void attend_runs(Stream& s, const Call& c) {
    const int64_t K = c.indices.dim(1), runs = (K + kRunKeys - 1) / kRunKeys;
    ArenaScope scope(*s.arena);
    const int64_t T = c.tokens(), floats = (c.state_bytes() / 4 + 15) / 16 * 16;
    auto* states = s.arena->tmp(DType::f32, T * runs, floats).as<float>();
    auto* queries = s.arena->tmp(DType::u8, T, c.query_bytes()).as<std::byte>();
    auto* copies = s.arena->tmp(DType::i32, T, K).as<int32_t>();
    auto* keys = s.arena->tmp(DType::u8, T * static_cast<int64_t>(sizeof(Keys))).as<Keys>();
    int64_t keys_all = 0;
    for (int64_t t = 0; t < T; ++t) {
        keys[t] = keys_of(c, t, copies + t * K);
        load_query(c, t, queries + t * c.query_bytes());
        keys_all += keys[t].count;
    }
    const int64_t grain = keys_all * c.heads() < kPairs
                              ? T * runs
                              : std::max<int64_t>(1, kPairs / (kRunKeys * c.heads()));
    s.workers->parallel_for(T * runs, grain, [&](int64_t begin, int64_t end, int worker) {
        Desk desk(c, s.workers->scratch(worker));
        for (int64_t i = begin; i < end; ++i) {
            const int64_t t = i / runs, run = i % runs * kRunKeys;
            AttentionState state = state_at(c, states + i * floats);
            const PagedRows rows = c.rows(t);
            const int64_t run_end = std::min(run + kRunKeys, keys[t].count);
            for (int64_t first = run; first < run_end; first += kTileKeys)
                attend_tile(c, desk, queries + t * c.query_bytes(), rows, keys[t], first,
                            std::min<int64_t>(first + kTileKeys, run_end), state);
        }
    });
    Desk desk(c, s.workers->scratch(0));
    for (int64_t t = 0; t < T; ++t) {
        AttentionState whole = state_at(c, states + t * runs * floats);
        whole.empty = keys[t].count == 0;
        for (int64_t run = 1; run * kRunKeys < keys[t].count; ++run) {
            AttentionState next = state_at(c, states + (t * runs + run) * floats);
            next.empty = false;
            merge(c, desk, whole, next);
        }
        write_token(c, t, whole);
    }
}

}  // namespace

void cpu::sparse_attention(Stream& s, Tensor o, Tensor lse, Tensor q_latent, Tensor q_pe,
                           Tensor cache, const PagedTokens& at, Tensor indices, LatentFormat format,
                           float scale) {
    const bool q_is_bf16 = q_latent.dtype == DType::bf16;
    const Call c{o,
                 lse,
                 q_latent,
                 q_pe,
                 cache,
                 at,
                 indices,
                 format,
                 scale,
                 isa() == Isa::avx512 ? attention_kernels_avx512(q_is_bf16, format)
                                      : kernels_avx2(q_is_bf16, format)};
    const int64_t T = c.tokens(), K = indices.dim(1);
    const bool few = T < 2 * s.workers->threads() && s.workers->threads() > 1 && K > kRunKeys;
    if (few) return attend_runs(s, c);
    attend_tokens(s, c, std::max<int64_t>(1, kPairs / (std::max<int64_t>(K, 1) * c.heads())));
}

}  // namespace fathom
