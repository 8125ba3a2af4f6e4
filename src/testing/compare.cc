#include "testing/compare.h"

#include <cmath>

#include "tensor/fp8.h"

namespace fathom::testing {
namespace {

int64_t count_of(const Tensor& t) {
    int64_t count = 1;
    for (int i = 0; i < t.rank; ++i) count *= t.shape[i];
    return count;
}

std::string place(const Tensor& t, int64_t i) {
    std::string text = "]";
    for (int d = t.rank - 1; d >= 0; --d) {
        text = str(d > 0 ? ", " : "[", i % t.shape[d], text);
        i /= t.shape[d];
    }
    return text;
}

}  // namespace

double element(const Tensor& t, int64_t i) {
    int64_t at = 0;
    for (int d = t.rank - 1; d >= 0; --d) {
        at += i % t.shape[d] * t.stride[d];
        i /= t.shape[d];
    }
    switch (t.dtype) {
        case DType::f32: return t.as<float>()[at];
        case DType::bf16: return to_float(t.as<bf16>()[at]);
        case DType::f8e4m3: return to_float(t.as<f8e4m3>()[at]);
        case DType::i8: return t.as<int8_t>()[at];
        case DType::u8: return t.as<uint8_t>()[at];
        case DType::i32: return t.as<int32_t>()[at];
        case DType::i64: return static_cast<double>(t.as<int64_t>()[at]);
        case DType::f64: return t.as<double>()[at];
    }
    CHECK(false, "compare of ", t.dtype);
}

std::string compare(const Tensor& got, const Tensor& want, Tolerance tol) {
    CHECK(got.rank == want.rank && got.rank > 0 && got.shape == want.shape, got, " against ", want);
    const int64_t cols = want.dim(-1), size = count_of(want);
    if (size == 0) return str("nothing to compare: ", want);

    double sum_squares = 0, dot = 0;
    for (int64_t i = 0; i < size; ++i) {
        const double g = element(got, i), w = element(want, i);
        if (std::isnan(g) || std::isnan(w) || ((std::isinf(g) || std::isinf(w)) && g != w))
            return str(place(want, i), ": got ", g, ", want ", w);
        if (std::isinf(w)) continue;
        sum_squares += w * w;
        dot += g * w;
    }
    const double typical = std::sqrt(sum_squares / static_cast<double>(size));

    for (int64_t row = 0; row < size / cols; ++row) {
        double row_error = 0, row_squares = 0;
        for (int64_t i = row * cols; i < (row + 1) * cols; ++i) {
            const double g = element(got, i), w = element(want, i);
            if (std::isinf(w)) continue;
            const double error = std::fabs(g - w);
            if (!(error <= tol.rel * std::fmax(std::fabs(w), typical)))
                return str(place(want, i), ": got ", g, ", want ", w, ", rel > ", tol.rel);
            row_error += error * error;
            row_squares += w * w;
        }
        if (!(row_error <= tol.rms * tol.rms * row_squares))
            return str("row ", row, ": rms error ", std::sqrt(row_error / row_squares), " > ",
                       tol.rms);
    }
    const double chance = tol.rms / std::sqrt(static_cast<double>(size));
    if (sum_squares > 0 && !(std::fabs(dot / sum_squares - 1) <= tol.scale + chance + 1e-12))
        return str("scaled by ", dot / sum_squares);
    return "";
}

}  // namespace fathom::testing
