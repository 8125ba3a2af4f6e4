#pragma once

#include "tensor/stream.h"

namespace fathom {

// y[t] = x[t] / rms(x[t]) * weight, where rms(v) = sqrt(mean(v^2) + eps).
//
//   x, y    bf16 or f32 (both alike) [T, D]   rows may be strided; y may be x
//   weight  f32 [D]
//
// Accumulates in f32. RMSNorm.forward of inference/model.py, without the residual.
namespace ops {
void rms_norm(Stream& s, Tensor y, Tensor x, Tensor weight, float eps);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void rms_norm(Stream& s, Tensor y, Tensor x, Tensor weight, float eps);
}
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void rms_norm(Stream& s, Tensor y, Tensor x, Tensor weight, float eps);
}
namespace cuda {
void rms_norm(Stream& s, Tensor y, Tensor x, Tensor weight, float eps);
}

}  // namespace fathom
