#pragma once

#include "tensor/stream.h"

namespace fathom {

// weights[t, h] *= factor * q_scales[t, h], in place: all scales of the indexer's queries in one
// number. Without q_scales (a Tensor without data) only the factor.
//
//   weights   f32 [T, H]
//   q_scales  f32 [T, H]
//
// Indexer.forward of inference/model.py: weights * n_heads^-0.5 * q_scale * softmax_scale.
namespace ops {
void index_weights(Stream& s, Tensor weights, Tensor q_scales, float factor);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void index_weights(Stream& s, Tensor weights, Tensor q_scales, float factor);
}
namespace cuda {
void index_weights(Stream& s, Tensor weights, Tensor q_scales, float factor);
}

}  // namespace fathom
