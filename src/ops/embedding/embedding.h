#pragma once

#include "tensor/stream.h"

namespace fathom {

// y[t] = table[tokens[t]]; a token of -1 gives a row of zeros (position 0 of the MTP layer).
//
//   y       bf16 or f32 [T, D]
//   tokens  i32 [T]   -1 or 0 <= id < V
//   table   bf16 [V, D]
//
// ParallelEmbedding of inference/model.py.
namespace ops {
void embedding(Stream& s, Tensor y, Tensor tokens, Tensor table);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void embedding(Stream& s, Tensor y, Tensor tokens, Tensor table);
}
namespace cuda {
void embedding(Stream& s, Tensor y, Tensor tokens, Tensor table);
}

}  // namespace fathom
