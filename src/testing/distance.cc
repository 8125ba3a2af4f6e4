#include "testing/distance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "testing/compare.h"

namespace fathom::testing {

std::vector<double> row_distances(const Tensor& got, const Tensor& want) {
    CHECK(got.rank == want.rank && got.shape == want.shape, got, " against ", want);
    const int64_t cols = want.dim(-1);
    int64_t rows = 1;
    for (int i = 0; i + 1 < want.rank; ++i) rows *= want.shape[i];
    std::vector<double> distances(rows);
    for (int64_t r = 0; r < rows; ++r) {
        double error = 0, size = 0;
        for (int64_t i = r * cols; i < (r + 1) * cols; ++i) {
            const double w = element(want, i), difference = element(got, i) - w;
            error += difference * difference;
            size += w * w;
        }
        distances[r] =
            std::isnan(error) ? std::numeric_limits<double>::infinity() : std::sqrt(error / size);
    }
    return distances;
}

double quantile(std::vector<double> values, double q) {
    CHECK(!values.empty(), "quantile of nothing");
    std::sort(values.begin(), values.end());
    return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5)];
}

}  // namespace fathom::testing
