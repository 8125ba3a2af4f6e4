#pragma once

#include "tensor/stream.h"

namespace fathom {

// y[t] = shared[t] + sum over the token's experts, ascending by expert id, of weight * row; in f32,
// the shared part added last, rounded once.
//
//   y        bf16 or f32 [T, D]
//   rows     bf16 or f32 [T * K, D]   the experts' outputs, in the order of ops::moe_permute
//   pairs    i32 [T * K]
//   weights  f32 [T, K]
//   shared   bf16 or f32 [T, D]       as rows; y may be shared
//
// MoE.forward of inference/model.py; the order of its loop over experts.
namespace ops {
void moe_combine(Stream& s, Tensor y, Tensor rows, Tensor pairs, Tensor weights, Tensor shared);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void moe_combine(Stream& s, Tensor y, Tensor rows, Tensor pairs, Tensor weights, Tensor shared);
}
namespace cuda {
void moe_combine(Stream& s, Tensor y, Tensor rows, Tensor pairs, Tensor weights, Tensor shared);
}

}  // namespace fathom
