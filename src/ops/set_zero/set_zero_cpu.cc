#include <cstring>

#include "ops/set_zero/set_zero.h"

namespace fathom {

void cpu::set_zero(Stream&, Tensor x) {
    for (int64_t t = 0; t < x.dim(0); ++t)
        std::memset(x.rows(t, t + 1).data, 0, x.dim(1) * size_of(x.dtype));
}

}  // namespace fathom
