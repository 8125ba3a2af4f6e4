// What cpu::index_logits asks of an instruction set. Not for callers of the op.
#pragma once

#include <cstdint>

namespace fathom::cpu {

// Keys are scored in tiles of 64, transposed: keys lie across vector lanes, so that no sum runs
// across lanes and a logit is the same wherever its key lies.
constexpr int kTileKeys = 64;
constexpr int kIndexDim = 128;
// Of an expanded query head, and of a tile: f32 is the largest.
constexpr int64_t kQueryHeadBytes = kIndexDim * 4;
constexpr int64_t kTileBytes = int64_t{kTileKeys} * kIndexDim * 4;

struct IndexKernels {
    // Brings H heads, `stride` bytes apart, into the form that `score` wants.
    void (*expand_query)(void* query, const uint8_t* heads, int64_t stride, int64_t H);
    // Decodes and transposes the keys at 64 addresses.
    void (*load_tile)(void* tile, const uint8_t* const* keys);
    // out[i] = scales[i] * sum over h of weights[h] * relu(query[h] . tile[i]), 64 of them.
    void (*score)(float* out, const void* query, const float* weights, int64_t H, const void* tile,
                  const float* scales);
};

// By element type of query and keys. Only where isa() says avx512.
IndexKernels index_kernels_avx512_f32();
IndexKernels index_kernels_avx512_bf16();
IndexKernels index_kernels_avx512_f8e4m3();

}  // namespace fathom::cpu
