#pragma once

#include "tensor/stream.h"

namespace fathom {

// y = a + b, in f32, rounded once.
//
//   y, a, b  bf16 or f32 (all alike) [T, D]   rows may be strided; y may be a or b
namespace ops {
void add(Stream& s, Tensor y, Tensor a, Tensor b);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void add(Stream& s, Tensor y, Tensor a, Tensor b);
}
namespace cuda {
void add(Stream& s, Tensor y, Tensor a, Tensor b);
}

}  // namespace fathom
