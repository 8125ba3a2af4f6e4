// The inner product of cpu::index_logits, written once for every kind of lanes.
#pragma once

#include "ops/index_logits/index_logits_kernels.h"

namespace fathom::cpu {

// L is F32x8 and the like, with what multiplies in a step:
//   Element    4 bytes: one f32 or a pair of bf16
//   kSteps     of them in a row of kIndexDim
//   kVectors   of keys at a time; kHeads heads at a time, their products are kept in registers
//   Factor broadcast(const Element*), load_keys(const Element*); Vector dot(Vector, Factor, Factor)
// A tile is [64 / (kVectors * kLanes)][kSteps][kVectors * kLanes] elements.
template <class L, int kHeads>
inline __attribute__((always_inline)) void score_heads(typename L::Vector* sums,
                                                       const typename L::Element* query,
                                                       const float* weights,
                                                       const typename L::Element* keys) {
    typename L::Vector dots[kHeads][L::kVectors];
    for (int h = 0; h < kHeads; ++h)
        for (int v = 0; v < L::kVectors; ++v) dots[h][v] = L::zero();
    for (int step = 0; step < L::kSteps; ++step) {
        typename L::Factor key[L::kVectors];
        for (int v = 0; v < L::kVectors; ++v)
            key[v] = L::load_keys(keys + (step * L::kVectors + v) * L::kLanes);
        for (int h = 0; h < kHeads; ++h) {
            const typename L::Factor q = L::broadcast(query + h * L::kSteps + step);
            for (int v = 0; v < L::kVectors; ++v) dots[h][v] = L::dot(dots[h][v], q, key[v]);
        }
    }
    for (int h = 0; h < kHeads; ++h)
        for (int v = 0; v < L::kVectors; ++v)
            sums[v] = L::fma(L::set1(weights[h]), L::max(L::zero(), dots[h][v]), sums[v]);
}

template <class L>
void score_tile(float* out, const void* query, const float* weights, int64_t H, const void* tile,
                const float* scales) {
    constexpr int kKeys = L::kVectors * L::kLanes;
    const auto* q = static_cast<const typename L::Element*>(query);
    const auto* keys = static_cast<const typename L::Element*>(tile);
    for (int first = 0; first < kTileKeys; first += kKeys, keys += L::kSteps * kKeys) {
        typename L::Vector sums[L::kVectors];
        for (int v = 0; v < L::kVectors; ++v) sums[v] = L::zero();
        int64_t h = 0;
        for (; h + L::kHeads <= H; h += L::kHeads)
            score_heads<L, L::kHeads>(sums, q + h * L::kSteps, weights + h, keys);
        for (; h < H; ++h) score_heads<L, 1>(sums, q + h * L::kSteps, weights + h, keys);
        for (int v = 0; v < L::kVectors; ++v) {
            const int at = first + v * L::kLanes;
            L::store(out + at, L::mul(sums[v], L::load(scales + at)));
        }
    }
}

}  // namespace fathom::cpu
