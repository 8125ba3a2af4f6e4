#include "checkpoint/quantize_rows.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "tensor/fp8.h"

namespace fathom {

void quantize_fp8_rows(std::span<const float> x, int64_t K, std::span<uint8_t> codes,
                       std::span<float> scales) {
    const int64_t rows = std::ssize(x) / K;
    CHECK(rows * K == std::ssize(x) && rows <= 128, x.size(), " elements in rows of ", K);
    CHECK(codes.size() == x.size() && std::ssize(scales) == (K + 127) / 128, codes.size(),
          " codes, ", scales.size(), " scales");
    for (int64_t begin = 0; begin < K; begin += 128) {
        const int64_t end = std::min(begin + 128, K);
        float largest = 0;
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t i = begin; i < end; ++i)
                largest = std::max(largest, std::abs(x[row * K + i]));
        int exponent;
        const double mantissa = std::frexp(static_cast<double>(largest) / 448, &exponent);
        const double scale = std::ldexp(1.0, mantissa == 0.5 ? exponent - 1 : exponent);
        scales[begin / 128] = static_cast<float>(scale);
        for (int64_t row = 0; row < rows; ++row)
            for (int64_t i = row * K + begin; i < row * K + end; ++i)
                codes[i] = to_f8e4m3(x[i] / static_cast<float>(scale)).bits;
    }
}

void quantize_int8_rows(std::span<const float> x, int64_t K, std::span<int8_t> codes,
                        std::span<float> scales, std::span<int64_t> sums) {
    const int64_t rows = std::ssize(scales);
    CHECK(rows * K == std::ssize(x) && codes.size() == x.size() && sums.size() == scales.size(),
          x.size(), " elements in ", rows, " rows of ", K);
    for (int64_t row = 0; row < rows; ++row) {
        const auto values = x.subspan(row * K, K);
        float largest = 0;
        for (const float value : values) largest = std::max(largest, std::abs(value));
        // A scale must be positive: verify() takes 0 for damage.
        scales[row] = largest > 0 ? static_cast<float>(static_cast<double>(largest) / 127) : 1.0f;
        int64_t sum = 0;
        for (int64_t i = 0; i < K; ++i) {
            const double code = std::rint(static_cast<double>(values[i]) / scales[row]);
            codes[row * K + i] = static_cast<int8_t>(std::clamp(code, -127.0, 127.0));
            sum += codes[row * K + i];
        }
        sums[row] = sum;
    }
}

}  // namespace fathom
