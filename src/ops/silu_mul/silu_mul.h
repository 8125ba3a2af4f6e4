#pragma once

#include "tensor/stream.h"

namespace fathom {

// y = silu(gate) * up, elementwise in f32, rounded once.
//
//   y, gate, up  bf16 or f32 (all alike) [T, D]   rows may be strided; y may be gate
//
// The middle of MLP.forward of inference/model.py.
namespace ops {
void silu_mul(Stream& s, Tensor y, Tensor gate, Tensor up);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void silu_mul(Stream& s, Tensor y, Tensor gate, Tensor up);
}
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void silu_mul(Stream& s, Tensor y, Tensor gate, Tensor up);
}
namespace cuda {
void silu_mul(Stream& s, Tensor y, Tensor gate, Tensor up);
}

}  // namespace fathom
