#pragma once

#include <vector>

#include "tensor/tensor.h"

namespace fathom::testing {

// Per row (last dimension): rms(got - want) / rms(want). NaN counts as infinite. Shapes must agree.
std::vector<double> row_distances(const Tensor& got, const Tensor& want);

// The value below which a share q of the values lies; q = 0.5 is the median. REQUIRES: not empty.
double quantile(std::vector<double> values, double q);

}  // namespace fathom::testing
