#include <cstring>

#include "ops/gather_rows/gather_rows.h"

namespace fathom {

void cpu::gather_rows(Stream&, Tensor y, Tensor x, Tensor rows) {
    const int64_t R = y.dim(0), bytes = y.dim(1) * size_of(y.dtype);
    for (int64_t r = 0; r < R; ++r) {
        const int32_t row = rows.as<int32_t>()[r];
        CHECK(0 <= row && row < x.dim(0), "row ", row, " of ", x);
        std::memcpy(y.rows(r, r + 1).data, x.rows(row, row + 1).data, bytes);
    }
}

}  // namespace fathom
