#pragma once

#include "config/kv_layout.h"
#include "ops/paged_tokens.h"
#include "tensor/stream.h"

namespace fathom {

// The lightning indexer's scores:
//   logits[t, p] = sum over heads h of weights[t, h] * relu(q[t, h] . key[p])
// for the positions p = 0 .. positions[t] of t's own sequence; what lies beyond is not written.
//
//   logits        f32 [T, P]       P > every position; rows may be strided
//   q             [T, H, D]        D = 128; f8e4m3 codes for IndexFormat::fp8, bf16 for bf16, f32
//                                  for f32; heads and rows may be strided
//   weights       f32 [T, H]       all scales folded in: H^-0.5, D^-0.5 and, for fp8, q's own
//   cache         u8 [num_blocks, block_tokens * bytes]   as ops::store_index_keys wrote it
//   at            positions, sequences and block tables of the T tokens
//
// fp8: a key's scale multiplies the sum over heads (it is positive, so it commutes with relu). In
// f32, heads in ascending order; a logit depends on nothing but q[t], weights[t] and the key, bit
// for bit. NaN in a query or key makes the logit NaN. The CPU takes 16 bytes per token from
// s.arena. Indexer.forward and fp8_index of the reference.
namespace ops {
void index_logits(Stream& s, Tensor logits, Tensor q, Tensor weights, Tensor cache,
                  const PagedTokens& at, IndexFormat format);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void index_logits(Stream& s, Tensor logits, Tensor q, Tensor weights, Tensor cache,
                  const PagedTokens& at, IndexFormat format);
}
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void index_logits(Stream& s, Tensor logits, Tensor q, Tensor weights, Tensor cache,
                  const PagedTokens& at, IndexFormat format);
}
namespace cuda {
void index_logits(Stream& s, Tensor logits, Tensor q, Tensor weights, Tensor cache,
                  const PagedTokens& at, IndexFormat format);
}

}  // namespace fathom
