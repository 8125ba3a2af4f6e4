#pragma once

#include "tensor/stream.h"

namespace fathom {

// indices[t] = 0, 1, .., positions[t], then -1: what ops::topk would choose from at most K scores.
//
//   indices    i32 [T, K]
//   positions  i32 [T]      < K
namespace ops {
void dense_indices(Stream& s, Tensor indices, Tensor positions);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void dense_indices(Stream& s, Tensor indices, Tensor positions);
}
namespace cuda {
void dense_indices(Stream& s, Tensor indices, Tensor positions);
}

}  // namespace fathom
