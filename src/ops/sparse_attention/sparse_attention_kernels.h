// What cpu::sparse_attention asks of an instruction set. Not for callers of the op.
#pragma once

#include <cstdint>

#include "config/kv_layout.h"

namespace fathom::cpu {

constexpr int kLatentDim = 512, kRopeDim = 64, kKeyDim = kLatentDim + kRopeDim;
// Keys are dequantized and scored so many at a time.
constexpr int kTileKeys = 64;

// How far a softmax over some of a token's keys has come. o is the sum of probabilities times
// latents, where a probability is exp(score - top) and `sum` their sum; all of them per head.
struct AttentionState {
    float* o;    // [H, kLatentDim], in the kernels' own order of columns
    float* top;  // [padded heads]
    float* sum;  // [padded heads]
    bool empty;  // No key yet: o holds nothing.
};

// Heads lie across vector lanes in scores, columns of the latent in sums, so that nothing is added
// across lanes and every sum runs over keys or columns in ascending order.
struct AttentionKernels {
    int lanes;  // Heads are padded to a multiple of it with heads of zeros.
    int steps;  // Elements of 4 bytes in a row of a query or key: f32, or two bf16.

    // query [steps * padded heads] of elements from one token's heads; strides in bytes.
    void (*load_query)(void* query, const uint8_t* q_latent, int64_t latent_stride,
                       const uint8_t* q_pe, int64_t pe_stride, int64_t H);
    // Rows [begin, end) of a tile: keys [64, steps] elements, values [64, kLatentDim] (which some
    // kernels leave alone, as they find them in the keys).
    void (*load_keys)(void* keys, float* values, const uint8_t* const* rows, int begin, int end);
    // scores [64, padded heads] of the first n keys; up to 64 rows may be written.
    void (*score)(float* scores, const void* query, const void* keys, int64_t H, int n);
    // Turns n rows of scores into probabilities and moves top and sum on. `shrink` [padded heads]
    // is by what the older part of o has to be multiplied.
    void (*softmax)(float* scores, AttentionState state, float* shrink, int64_t H, int n,
                    float scale);
    // o = o * shrink + probabilities * values.
    void (*accumulate)(AttentionState state, const float* shrink, const float* probabilities,
                       const void* keys, const float* values, int64_t H, int n);
    // Adds `from`, a softmax over later keys, to `into`. `work` [2 * padded heads].
    void (*merge)(AttentionState into, AttentionState from, float* work, int64_t H);
    // row = o / sum of one head, columns in their order.
    void (*finish)(float* row, const float* o, float sum);
};

// Only where isa() says avx512.
AttentionKernels attention_kernels_avx512(bool q_is_bf16, LatentFormat format);

}  // namespace fathom::cpu
