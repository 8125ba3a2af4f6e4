#pragma once

#include <span>

#include "tensor/linear.h"
#include "tensor/stream.h"

namespace fathom {

// y[t, h] = x[t, h] W_h^T for each head: "thk,hnk->thn".
//
//   y  bf16 or f32 [T, H, N]
//   x  bf16 or f32 [T, H, K]   tokens and heads may be strided
//   w  H linears of kind bf16, N x K
//
// The two halves of kv_b that MLA's absorbed form folds into query and output (inference/model.py).
namespace ops {
void head_matmul(Stream& s, Tensor y, Tensor x, std::span<const Linear> w);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void head_matmul(Stream& s, Tensor y, Tensor x, std::span<const Linear> w);
}
namespace cuda {
void head_matmul(Stream& s, Tensor y, Tensor x, std::span<const Linear> w);
}

}  // namespace fathom
