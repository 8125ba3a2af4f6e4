#pragma once

#include "tensor/stream.h"

namespace fathom {

enum class Rope : uint8_t { interleaved, half };

// Rotates pairs of x[t, h] by the angles of position t, in place, in f32.
//
//   x    bf16 or f32 [T, H, R]   R even; tokens and heads may be strided
//   cis  f32 [T, R/2, 2]         ops::freqs_cis
//
// interleaved: pairs (0, 1), (2, 3), ..: MLA's q_pe and k_pe. half: pairs (0, R/2), (1, R/2 + 1),
// ..: the indexer's (seed of a well-known bug: docs/mutations.md). apply_rotary_emb of
// inference/model.py.
namespace ops {
void rotary(Stream& s, Tensor x, Tensor cis, Rope rope);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void rotary(Stream& s, Tensor x, Tensor cis, Rope rope);
}
namespace cuda {
void rotary(Stream& s, Tensor x, Tensor cis, Rope rope);
}

}  // namespace fathom
