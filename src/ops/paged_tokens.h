#pragma once

#include "tensor/tensor.h"

namespace fathom {

// Where the keys of each token's sequence lie in the paged cache.
struct PagedTokens {
    Tensor positions;     // i32 [T] of the token in its sequence
    Tensor sequences;     // i32 [T] row of block_tables
    Tensor block_tables;  // i32 [S, M] block ids; entry i holds positions [i * B, (i + 1) * B)
    int block_tokens;     // B
};

}  // namespace fathom
