#pragma once

#include "config/kv_layout.h"
#include "tensor/stream.h"

namespace fathom {

// Writes the compressed key-value of each token to its slot of the cache.
//
//   cache  u8 [num_blocks, block_tokens, bytes]   KvCache::latent(layer); bytes is
//                                KvLayout::latent_bytes(); blocks may be strided
//   kv     bf16 or f32 [T, C]    normalized latent; rows may be strided
//   k_pe   bf16 or f32 [T, R]    rotated, dtype of kv; rows may be strided
//   slots  i32 [T]               block * block_tokens + offset; -1 writes nothing
//
// fp8: kv as ops::act_quant (ue8m0): C codes, C / 128 scales in f32, then k_pe in bf16. C % 128 ==
// 0 there. bf16, f32: kv, then k_pe. docs/kv-layout.md.
namespace ops {
void store_latent(Stream& s, Tensor cache, Tensor kv, Tensor k_pe, Tensor slots,
                  LatentFormat format);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void store_latent(Stream& s, Tensor cache, Tensor kv, Tensor k_pe, Tensor slots,
                  LatentFormat format);
}
namespace cuda {
void store_latent(Stream& s, Tensor cache, Tensor kv, Tensor k_pe, Tensor slots,
                  LatentFormat format);
}

}  // namespace fathom
