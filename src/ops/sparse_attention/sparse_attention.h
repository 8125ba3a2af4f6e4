#pragma once

#include "config/kv_layout.h"
#include "ops/paged_tokens.h"
#include "tensor/stream.h"

namespace fathom {

// Attention over chosen positions, in the latent space (absorbed MLA): per token t and head h
//   score[i] = scale * (q_latent[t, h] . latent[p_i] + q_pe[t, h] . k_pe[p_i])
//   o[t, h] = sum over i of softmax(score)[i] * latent[p_i]
//   lse[t, h] = log(sum over i of exp(score[i]))            where p_i = indices[t, i] >= 0
// A token without positions: o = 0, lse = +inf.
//
//   o         bf16 or f32 [T, H, C]   C = 512; may be strided
//   lse       f32 [T, H], or a Tensor without data where nobody asks
//   q_latent  bf16 or f32 [T, H, C]   may be strided
//   q_pe      [T, H, R], R = 64       dtype of q_latent; may be strided
//   cache     u8 [num_blocks, block_tokens, bytes]   as ops::store_latent wrote it
//   at        sequence and block table of each token; its positions are not used
//   indices   i32 [T, K]   ascending positions in the own sequence; -1 is skipped
//
// Scores, softmax and sums in f32, probabilities unrounded, keys in the order of `indices`: a
// token's result does not depend on its batch, bit for bit. fp8 scales must be powers of two. With
// several threads, T < 2 * threads and K > 512 the CPU takes from s.arena, per token, K / 512
// partial results of H * C f32, the query in f32 and K i32. MLA.forward of inference/model.py,
// absorbed branch.
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
