#pragma once

#include "tensor/stream.h"

namespace fathom {

// y[t] = H x[t] * D^-0.5, H the Hadamard matrix in Sylvester's order.
//
//   x, y  bf16 or f32 (both alike) [T, D]   D a power of two; rows may be strided; y may be x
//
// In f32. rotate_activation of inference/model.py.
namespace ops {
void hadamard(Stream& s, Tensor y, Tensor x);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void hadamard(Stream& s, Tensor y, Tensor x);
}
namespace cuda {
void hadamard(Stream& s, Tensor y, Tensor x);
}

}  // namespace fathom
