#pragma once

#include "tensor/stream.h"

namespace fathom {

// cis[t, i] = (cos a, sin a), a = positions[t] * inv_freq[i], the angle rounded to f32 as the
// reference does (never "improved": at position 163839 it is up to 1.6e-3 off), its cosine and sine
// exact.
//
//   cis        f32 [T, R/2, 2]
//   positions  i32 [T]   >= 0
//   inv_freq   f32 [R/2]
//
// precompute_freqs_cis of inference/model.py, for the positions of this step only. inv_freq with
// YaRN: model/rope.h.
namespace ops {
void freqs_cis(Stream& s, Tensor cis, Tensor positions, Tensor inv_freq);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void freqs_cis(Stream& s, Tensor cis, Tensor positions, Tensor inv_freq);
}
namespace cuda {
void freqs_cis(Stream& s, Tensor cis, Tensor positions, Tensor inv_freq);
}

}  // namespace fathom
