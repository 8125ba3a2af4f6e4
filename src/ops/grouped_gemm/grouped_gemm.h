#pragma once

#include <span>

#include "tensor/linear.h"
#include "tensor/stream.h"

namespace fathom {

// y[r] = x[r] W_e^T for the rows r in [offsets[e], offsets[e + 1]): one linear per expert over the
// rows that chose it. Same sums, same bits as ops::linear on each expert's rows.
//
//   y        bf16 or f32 [R, N]
//   x        bf16 or f32 [R, K]
//   offsets  i32 [E + 1]   ascending, offsets[0] = 0, offsets[E] = R
//   w        E linears of N x K and one kind
//
// Expert of inference/model.py, all experts at once.
namespace ops {
void grouped_gemm(Stream& s, Tensor y, Tensor x, Tensor offsets, std::span<const Linear> w);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void grouped_gemm(Stream& s, Tensor y, Tensor x, Tensor offsets, std::span<const Linear> w);
}
namespace cuda {
void grouped_gemm(Stream& s, Tensor y, Tensor x, Tensor offsets, std::span<const Linear> w);
}

}  // namespace fathom
