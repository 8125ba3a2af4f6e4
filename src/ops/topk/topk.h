#pragma once

#include "tensor/stream.h"

namespace fathom {

// The positions of the K largest of logits[t, 0 .. positions[t]], ascending, padded with -1. Equal
// values: the lower position wins. -0 equals 0; -inf and NaN are never chosen.
//
//   indices    i32 [T, K]
//   logits     f32 [T, P]
//   positions  i32 [T]      < P
namespace ops {
void topk(Stream& s, Tensor indices, Tensor logits, Tensor positions);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void topk(Stream& s, Tensor indices, Tensor logits, Tensor positions);
}
// What it means: plain loops. cpu:: is held to it by a test.
namespace cpu::plain {
void topk(Stream& s, Tensor indices, Tensor logits, Tensor positions);
}
namespace cuda {
void topk(Stream& s, Tensor indices, Tensor logits, Tensor positions);
}

}  // namespace fathom
