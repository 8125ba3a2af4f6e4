#pragma once

#include "tensor/stream.h"

namespace fathom {

// y[r] = x[rows[r]].
//
//   y     [R, D]   dtype of x
//   x     bf16 or f32 [T, D]   rows may be strided
//   rows  i32 [R]  0 <= row < T
namespace ops {
void gather_rows(Stream& s, Tensor y, Tensor x, Tensor rows);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void gather_rows(Stream& s, Tensor y, Tensor x, Tensor rows);
}
namespace cuda {
void gather_rows(Stream& s, Tensor y, Tensor x, Tensor rows);
}

}  // namespace fathom
