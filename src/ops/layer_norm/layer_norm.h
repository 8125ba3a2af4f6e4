#pragma once

#include "tensor/stream.h"

namespace fathom {

// y[t] = (x[t] - mean) / sqrt(variance + eps) * weight + bias, variance over D (not D - 1).
//
//   x, y          bf16 or f32 (both alike) [T, D]   rows may be strided; y may be x
//   weight, bias  f32 [D]
//
// Accumulates in f32: mean first, then the mean square of the differences. The indexer's k_norm.
namespace ops {
void layer_norm(Stream& s, Tensor y, Tensor x, Tensor weight, Tensor bias, float eps);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void layer_norm(Stream& s, Tensor y, Tensor x, Tensor weight, Tensor bias, float eps);
}
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void layer_norm(Stream& s, Tensor y, Tensor x, Tensor weight, Tensor bias, float eps);
}
namespace cuda {
void layer_norm(Stream& s, Tensor y, Tensor x, Tensor weight, Tensor bias, float eps);
}

}  // namespace fathom
