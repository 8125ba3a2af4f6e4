#pragma once

#include "tensor/stream.h"

namespace fathom {

// Sorts the T * K (token, choice) pairs by expert, stably, and gathers their rows: rows[r] =
// x[pairs[r] / K].
//
//   rows     as x [T * K, D]
//   pairs    i32 [T * K]   token * K + choice of row r; ascending within an expert
//   offsets  i32 [E + 1]   rows [offsets[e], offsets[e + 1]) chose expert e
//   x        bf16 or f32 [T, D]
//   experts  i32 [T, K]    0 <= id < E
namespace ops {
void moe_permute(Stream& s, Tensor rows, Tensor pairs, Tensor offsets, Tensor x, Tensor experts);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void moe_permute(Stream& s, Tensor rows, Tensor pairs, Tensor offsets, Tensor x, Tensor experts);
}
namespace cuda {
void moe_permute(Stream& s, Tensor rows, Tensor pairs, Tensor offsets, Tensor x, Tensor experts);
}

}  // namespace fathom
