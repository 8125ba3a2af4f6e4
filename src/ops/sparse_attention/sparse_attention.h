#pragma once

#include "config/kv_layout.h"
#include "ops/paged_tokens.h"
#include "tensor/stream.h"

namespace fathom {

// Attention over chosen positions, in the latent space (absorbed MLA): per token t and head h
//   score[i] = scale * (q_latent[t, h] . latent[p_i] + q_pe[t, h] . k_pe[p_i]),  p_i = indices[t,
//   i] >= 0 o[t, h] = sum over i of softmax(score)[i] * latent[p_i];  lse[t, h] = log(sum of
//   exp(score))
// A token without positions: o = 0, lse = +inf.
//
//   o         bf16 or f32 [T, H, C]
//   lse       f32 [T, H], or a Tensor without data where nobody asks
//   q_latent  bf16 or f32 [T, H, C]   may be strided
//   q_pe      bf16 or f32 [T, H, R]   may be strided
//   cache     u8 [num_blocks, block_tokens, bytes]   as ops::store_latent wrote it
//   at        sequence and block table of each token; its positions are not used
//   indices   i32 [T, K]   ascending positions in the own sequence; -1 is skipped
//
// Scores, softmax and sums in f32, probabilities unrounded, keys in the order of `indices`, so that
// a token's result does not depend on its batch. MLA.forward of inference/model.py, absorbed
// branch.
namespace ops {
void sparse_attention(Stream& s, Tensor o, Tensor lse, Tensor q_latent, Tensor q_pe, Tensor cache,
                      const PagedTokens& at, Tensor indices, LatentFormat format, float scale);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void sparse_attention(Stream& s, Tensor o, Tensor lse, Tensor q_latent, Tensor q_pe, Tensor cache,
                      const PagedTokens& at, Tensor indices, LatentFormat format, float scale);
}
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void sparse_attention(Stream& s, Tensor o, Tensor lse, Tensor q_latent, Tensor q_pe, Tensor cache,
                      const PagedTokens& at, Tensor indices, LatentFormat format, float scale);
}
namespace cuda {
void sparse_attention(Stream& s, Tensor o, Tensor lse, Tensor q_latent, Tensor q_pe, Tensor cache,
                      const PagedTokens& at, Tensor indices, LatentFormat format, float scale);
}

}  // namespace fathom
