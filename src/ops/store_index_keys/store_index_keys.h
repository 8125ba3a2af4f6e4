#pragma once

#include "config/kv_layout.h"
#include "tensor/stream.h"

namespace fathom {

// Writes the lightning indexer's key of each token to its slot of the cache.
//
//   cache  u8 [num_blocks, block_tokens * bytes]   KvCache::index_keys(layer); bytes is
//                               KvLayout::index_bytes(); blocks may be strided
//   k      bf16 or f32 [T, D]   after k_norm and RoPE, and for fp8 after the Hadamard transform;
//                               rows may be strided
//   slots  i32 [T]              block * block_tokens + offset; -1 writes nothing
//
// fp8 (D = 128): as ops::act_quant (ue8m0), a block being block_tokens rows of D codes, then
// block_tokens scales in f32. bf16, f32: rows. docs/kv-layout.md.
namespace ops {
void store_index_keys(Stream& s, Tensor cache, Tensor k, Tensor slots, int block_tokens,
                      IndexFormat format);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void store_index_keys(Stream& s, Tensor cache, Tensor k, Tensor slots, int block_tokens,
                      IndexFormat format);
}
namespace cuda {
void store_index_keys(Stream& s, Tensor cache, Tensor k, Tensor slots, int block_tokens,
                      IndexFormat format);
}

}  // namespace fathom
