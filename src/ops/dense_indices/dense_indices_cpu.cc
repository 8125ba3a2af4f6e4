#include <algorithm>
#include <numeric>

#include "ops/dense_indices/dense_indices.h"

namespace fathom {

void cpu::dense_indices(Stream&, Tensor indices, Tensor positions) {
    const int64_t T = indices.dim(0), K = indices.dim(1);
    for (int64_t t = 0; t < T; ++t) {
        const int32_t position = positions.as<int32_t>()[t];
        CHECK(0 <= position && position < K, "position ", position, " with K = ", K);
        int32_t* row = indices.as<int32_t>() + t * indices.row_stride();
        std::iota(row, row + position + 1, 0);
        std::fill(row + position + 1, row + K, -1);
    }
}

}  // namespace fathom
