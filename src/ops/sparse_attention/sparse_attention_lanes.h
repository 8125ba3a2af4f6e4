// The loops of cpu::sparse_attention, written once for every kind of lanes.
//
// L is F32x8 and the like, with what scores are made of:
//   Element   4 bytes: one f32 or a pair of bf16; kSteps of them in a row
//   Factor    broadcast(const Element*), load_elements(const Element*); dot(Vector, Factor, Factor)
//   kGroupMax vectors of heads at a time, at most; kScores registers hold scores
//   kColumns  vectors of columns at a time in the sums
//   values_of(keys, values), kValueStride   where latents lie as f32
#pragma once

#include <limits>

#include "ops/sparse_attention/sparse_attention_kernels.h"

namespace fathom::cpu {

template <class L>
int64_t padded(int64_t H) {
    return (H + L::kLanes - 1) / L::kLanes * L::kLanes;
}

// Vectors of heads that are scored together: a query is [groups][steps][vectors][lanes].
template <class L>
int group_vectors(int64_t H) {
    int vectors = L::kGroupMax;
    while (padded<L>(H) / L::kLanes % vectors != 0) vectors /= 2;
    return vectors;
}

// exp(x) for x <= 0 (or above by rounding) within 2 ulp; 0 below the smallest normal number.
template <class L>
typename L::Vector exp_negative(typename L::Vector x) {
    const auto lowest = L::set1(-87.33f);
    const auto bounded = L::max(lowest, x);  // NaN stays.
    const auto n = L::round(L::mul(bounded, L::set1(1.44269504f)));
    // ln 2 in two parts, the first so short that n times it is exact.
    auto r = L::fma(n, L::set1(-0x1.62e4p-1f), bounded);
    r = L::fma(n, L::set1(-0x1.7f7d1cp-20f), r);
    // Taylor: |r| <= 0.35, so that the first term left out is below 2^-27.
    auto p = L::set1(1.0f / 5040);
    for (float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
        p = L::fma(p, r, L::set1(c));
    return L::zero_if_less(L::mul(p, L::exp2_whole(n)), x, lowest);
}

template <class L, int kVectors, int kKeys>
void score_group(float* scores, const typename L::Element* query, const typename L::Element* keys,
                 int64_t padded_heads, int n) {
    // A stretch of the query that stays in the first-level cache while all keys pass.
    constexpr int kStretch = L::kSteps / kVectors;
    for (int begin = 0; begin < L::kSteps; begin += kStretch) {
        const auto* q = query + int64_t{begin} * kVectors * L::kLanes;
        for (int first = 0; first < n; first += kKeys) {
            const auto* k = keys + int64_t{first} * L::kSteps + begin;
            float* out = scores + first * padded_heads;
            typename L::Vector sums[kKeys][kVectors];
            for (int i = 0; i < kKeys; ++i)
                for (int v = 0; v < kVectors; ++v)
                    sums[i][v] =
                        begin == 0 ? L::zero() : L::load(out + i * padded_heads + v * L::kLanes);
            for (int step = 0; step < kStretch; ++step) {
                typename L::Factor heads[kVectors];
                for (int v = 0; v < kVectors; ++v)
                    heads[v] = L::load_elements(q + (step * kVectors + v) * L::kLanes);
                for (int i = 0; i < kKeys; ++i) {
                    const auto key = L::broadcast(k + i * L::kSteps + step);
                    for (int v = 0; v < kVectors; ++v)
                        sums[i][v] = L::dot(sums[i][v], key, heads[v]);
                }
            }
            for (int i = 0; i < kKeys; ++i)
                for (int v = 0; v < kVectors; ++v)
                    L::store(out + i * padded_heads + v * L::kLanes, sums[i][v]);
        }
    }
}

template <class L>
void score(float* scores, const void* query, const void* keys, int64_t H, int n) {
    const int64_t heads = padded<L>(H);
    const int vectors = group_vectors<L>(H);
    const auto* q = static_cast<const typename L::Element*>(query);
    const auto* k = static_cast<const typename L::Element*>(keys);
    for (int64_t h = 0; h < heads; h += vectors * L::kLanes, scores += vectors * L::kLanes) {
        if constexpr (L::kGroupMax >= 4)
            if (vectors == 4)
                score_group<L, 4, L::kScores / 4>(scores, q + h * L::kSteps, k, heads, n);
        if (vectors == 2) score_group<L, 2, L::kScores / 2>(scores, q + h * L::kSteps, k, heads, n);
        if (vectors == 1) score_group<L, 1, L::kScores>(scores, q + h * L::kSteps, k, heads, n);
    }
}

template <class L>
void softmax(float* scores, AttentionState state, float* shrink, int64_t H, int n, float scale) {
    const int64_t heads = padded<L>(H);
    const auto factor = L::set1(scale);
    for (int64_t h = 0; h < heads; h += L::kLanes) {
        const auto infinity = L::set1(std::numeric_limits<float>::infinity());
        const auto before = state.empty ? L::sub(L::zero(), infinity) : L::load(state.top + h);
        auto top = before;
        for (int i = 0; i < n; ++i)
            top = L::max(top, L::mul(factor, L::load(scores + i * heads + h)));
        const auto older = exp_negative<L>(L::sub(before, top));
        auto sum = state.empty ? L::zero() : L::mul(L::load(state.sum + h), older);
        const auto minus_top = L::sub(L::zero(), top);
        for (int i = 0; i < n; ++i) {
            float* at = scores + i * heads + h;
            const auto p = exp_negative<L>(L::fma(factor, L::load(at), minus_top));
            L::store(at, p);
            sum = L::add(sum, p);
        }
        L::store(state.top + h, top);
        L::store(state.sum + h, sum);
        L::store(shrink + h, older);
    }
}

template <class L, int kHeads>
inline __attribute__((always_inline)) void accumulate_heads(float* o, bool empty,
                                                            const float* shrink,
                                                            const float* probabilities,
                                                            int64_t padded_heads,
                                                            const float* values, int n) {
    typename L::Vector sums[kHeads][L::kColumns];
    for (int h = 0; h < kHeads; ++h)
        for (int v = 0; v < L::kColumns; ++v)
            sums[h][v] =
                empty ? L::zero()
                      : L::mul(L::load(o + h * kLatentDim + v * L::kLanes), L::set1(shrink[h]));
    for (int i = 0; i < n; ++i) {
        typename L::Vector value[L::kColumns];
        for (int v = 0; v < L::kColumns; ++v)
            value[v] = L::load(values + int64_t{i} * L::kValueStride + v * L::kLanes);
        for (int h = 0; h < kHeads; ++h) {
            const auto p = L::set1(probabilities[i * padded_heads + h]);
            for (int v = 0; v < L::kColumns; ++v) sums[h][v] = L::fma(p, value[v], sums[h][v]);
        }
    }
    for (int h = 0; h < kHeads; ++h)
        for (int v = 0; v < L::kColumns; ++v)
            L::store(o + h * kLatentDim + v * L::kLanes, sums[h][v]);
}

template <class L>
void accumulate(AttentionState state, const float* shrink, const float* probabilities,
                const void* keys, const float* values, int64_t H, int n) {
    const int64_t heads = padded<L>(H);
    const float* latents = L::values_of(keys, values);
    for (int c = 0; c < kLatentDim; c += L::kColumns * L::kLanes) {
        int64_t h = 0;
        for (; h + 4 <= H; h += 4)
            accumulate_heads<L, 4>(state.o + h * kLatentDim + c, state.empty, shrink + h,
                                   probabilities + h, heads, latents + c, n);
        for (; h < H; ++h)
            accumulate_heads<L, 1>(state.o + h * kLatentDim + c, state.empty, shrink + h,
                                   probabilities + h, heads, latents + c, n);
    }
}

template <class L>
void merge(AttentionState into, AttentionState from, float* work, int64_t H) {
    const int64_t heads = padded<L>(H);
    for (int64_t h = 0; h < heads; h += L::kLanes) {
        const auto old_top = L::load(into.top + h), new_top = L::load(from.top + h);
        const auto top = L::max(old_top, new_top);
        const auto a = exp_negative<L>(L::sub(old_top, top));
        const auto b = exp_negative<L>(L::sub(new_top, top));
        L::store(into.top + h, top);
        L::store(into.sum + h, L::fma(L::load(from.sum + h), b, L::mul(L::load(into.sum + h), a)));
        L::store(work + h, a);
        L::store(work + heads + h, b);
    }
    for (int64_t h = 0; h < H; ++h) {
        const auto a = L::set1(work[h]), b = L::set1(work[heads + h]);
        for (int64_t c = h * kLatentDim; c < (h + 1) * kLatentDim; c += L::kLanes)
            L::store(into.o + c, L::fma(L::load(from.o + c), b, L::mul(L::load(into.o + c), a)));
    }
}

// For rows of f32: everything stays in its order.
template <class L>
void finish_in_order(float* row, const float* o, float sum) {
    for (int c = 0; c < kLatentDim; c += L::kLanes)
        L::store(row + c, L::div(L::load(o + c), L::set1(sum)));
}

}  // namespace fathom::cpu
