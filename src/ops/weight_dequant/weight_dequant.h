#pragma once

#include "tensor/stream.h"

namespace fathom {

// y[n, k] = w[n, k] * scale[n / 128, k / 128], rounded once to bf16.
//
//   y      bf16 [N, K]
//   w      f8e4m3 [N, K]
//   scale  f32 [ceil(N / 128), ceil(K / 128)]
//
// weight_dequant of inference/kernel.py; used at load for kv_b_proj, which is absorbed into q and
// o.
namespace ops {
void weight_dequant(Stream& s, Tensor y, Tensor w, Tensor scale);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void weight_dequant(Stream& s, Tensor y, Tensor w, Tensor scale);
}
namespace cuda {
void weight_dequant(Stream& s, Tensor y, Tensor w, Tensor scale);
}

}  // namespace fathom
