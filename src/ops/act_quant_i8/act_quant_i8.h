#pragma once

#include "tensor/stream.h"

namespace fathom {

// Rounds activations to int8, in f32, ties to even.
//
//   codes   i8 [T, K]
//   scales  f32 [T]
//   x       bf16 or f32 [T, K]   rows may be strided
//
// dynamic  scales[t] = max|x[t]| / 127, codes = round(x / scale); a row of zeros has scale 0 and
//          codes 0
// static   codes = clamp(round(x / scale + offset), -128, 127)
//
// Ascend's W8A8 (docs/quantization.md).
namespace ops {
void act_quant_i8_dynamic(Stream& s, Tensor codes, Tensor scales, Tensor x);
void act_quant_i8_static(Stream& s, Tensor codes, Tensor x, float scale, float offset);
}  // namespace ops

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void act_quant_i8_dynamic(Stream& s, Tensor codes, Tensor scales, Tensor x);
void act_quant_i8_static(Stream& s, Tensor codes, Tensor x, float scale, float offset);
}  // namespace cpu
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void act_quant_i8_dynamic(Stream& s, Tensor codes, Tensor scales, Tensor x);
void act_quant_i8_static(Stream& s, Tensor codes, Tensor x, float scale, float offset);
}  // namespace cpu::plain
namespace cuda {
void act_quant_i8_dynamic(Stream& s, Tensor codes, Tensor scales, Tensor x);
void act_quant_i8_static(Stream& s, Tensor codes, Tensor x, float scale, float offset);
}  // namespace cuda

}  // namespace fathom
