#pragma once

#include "tensor/stream.h"

namespace fathom {

// x = 0.
//
//   x  bf16 or f32 [T, D]   rows may be strided
namespace ops {
void set_zero(Stream& s, Tensor x);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void set_zero(Stream& s, Tensor x);
}
namespace cuda {
void set_zero(Stream& s, Tensor x);
}

}  // namespace fathom
