#pragma once

#include "tensor/linear.h"
#include "tensor/stream.h"

namespace fathom {

// y = x W^T: each row alone, sums over K in one fixed order that does not depend on T, so that a
// row has the same bits in every batch.
//
//   y  bf16 or f32 [T, N]   rows may be strided; f32 takes the sum unrounded (router logits, head)
//   x  bf16 or f32 [T, K]   rows may be strided
//   w  Linear of N x K; its kind decides how x is quantized first (tensor/linear.h)
//
// bf16          sum of x * W in f32
// fp8           x in e4m3 (act_quant, ue8m0); per 128 columns of K a sum c of products of codes in
//               f32, then y += c * (x_scale * w_scale), ascending
// w8a8_static   (codes . W + quant_bias) in int32, * deq_scale
// w8a8_dynamic  (codes . W) in int32, * x_scale * w_scale
//
// linear() of inference/model.py, fp8_gemm of inference/kernel.py; W8A8 is Ascend's.
namespace ops {
void linear(Stream& s, Tensor y, Tensor x, const Linear& w);
}

// The most that linear() and grouped_gemm() take from s.arena for T rows of K inputs in `dtype`,
// whatever the kind of the weights: x rounded or rearranged, as the kernels of this process's
// instruction set read it.
int64_t linear_input_bytes(int64_t T, int64_t K, DType dtype);

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void linear(Stream& s, Tensor y, Tensor x, const Linear& w);
}
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void linear(Stream& s, Tensor y, Tensor x, const Linear& w);
}
namespace cuda {
void linear(Stream& s, Tensor y, Tensor x, const Linear& w);
}

}  // namespace fathom
