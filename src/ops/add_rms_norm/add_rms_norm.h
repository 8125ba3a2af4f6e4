#pragma once

#include "tensor/stream.h"

namespace fathom {

// sum = x + residual in f32; y = sum / rms(sum) * weight; residual = sum, rounded to its dtype. The
// norm sees the sum before it is rounded.
//
//   x, y, residual  bf16 or f32 (all alike) [T, D]   rows may be strided; y may be x
//   weight          f32 [D]
//
// RMSNorm.forward(x, residual) of inference/model.py.
namespace ops {
void add_rms_norm(Stream& s, Tensor y, Tensor residual, Tensor x, Tensor weight, float eps);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void add_rms_norm(Stream& s, Tensor y, Tensor residual, Tensor x, Tensor weight, float eps);
}
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void add_rms_norm(Stream& s, Tensor y, Tensor residual, Tensor x, Tensor weight, float eps);
}
namespace cuda {
void add_rms_norm(Stream& s, Tensor y, Tensor residual, Tensor x, Tensor weight, float eps);
}

}  // namespace fathom
