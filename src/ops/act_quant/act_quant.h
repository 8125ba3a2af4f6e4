#pragma once

#include "tensor/stream.h"

namespace fathom {

// ue8m0: the next power of two at or above; what V3.2 uses everywhere. plain: the f32 quotient.
enum class ScaleFormat : uint8_t { ue8m0, plain };

// Per row and group of 128 columns: scale = max(max|x|, 1e-4) * f32(1 / 448), with
// ScaleFormat::ue8m0 rounded up to a power of two; codes = the nearest e4m3 of x / scale, ties to
// even, saturating at +-448.
//
//   codes   f8e4m3 [T, K]       K % 128 == 0
//   scales  f32 [T, K / 128]
//   x       bf16 or f32 [T, K]  rows may be strided
//
// act_quant_kernel of inference/kernel.py.
namespace ops {
void act_quant(Stream& s, Tensor codes, Tensor scales, Tensor x, ScaleFormat format);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void act_quant(Stream& s, Tensor codes, Tensor scales, Tensor x, ScaleFormat format);
}
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void act_quant(Stream& s, Tensor codes, Tensor scales, Tensor x, ScaleFormat format);
}
namespace cuda {
void act_quant(Stream& s, Tensor codes, Tensor scales, Tensor x, ScaleFormat format);
}

}  // namespace fathom
