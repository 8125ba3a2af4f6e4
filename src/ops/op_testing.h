#pragma once

#include <cmath>
#include <cstring>
#include <string>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/golden.h"
#include "testing/random.h"

// What the tests of the row-wise ops share.
namespace fathom::testing {

// A copy in another dtype, contiguous.
inline HostTensor converted(const Tensor& t, DType dtype) {
    const int64_t count = count_of(t);
    HostTensor flat = allocate(dtype, {count});
    for (int64_t i = 0; i < count; ++i) {
        if (dtype == DType::f64)
            flat.view.as<double>()[i] = element(t, i);
        else
            set(flat, i, static_cast<float>(element(t, i)));
    }
    flat.view.rank = t.rank;
    flat.view.shape = t.shape;
    for (int i = t.rank - 1, stride = 1; i >= 0; stride *= static_cast<int>(t.shape[i--]))
        flat.view.stride[i] = stride;
    return flat;
}

// Empty when shape, dtype and every bit agree.
inline std::string same_bits(const Tensor& a, const Tensor& b) {
    if (a.dtype != b.dtype || a.rank != b.rank || a.shape != b.shape) return str(a, " and ", b);
    const HostTensor x = converted(a, a.dtype), y = converted(b, b.dtype);
    if (std::memcmp(x.view.data, y.view.data, count_of(a) * size_of(a.dtype)) == 0) return "";
    for (int64_t i = 0; i < count_of(a); ++i)
        if (element(a, i) != element(b, i))
            return str("element ", i, ": ", element(a, i), " and ", element(b, i));
    return "zeros or NaNs of other bits";
}

// The largest |got - want| of any row, over the largest |want| of that row (a row of zeros must be
// met exactly).
inline double worst_of_row(const Tensor& got, const Tensor& want) {
    CHECK(got.rank == want.rank && got.shape == want.shape, got, " and ", want);
    const int64_t cols = want.dim(-1);
    double worst = 0;
    for (int64_t begin = 0; begin < count_of(want); begin += cols) {
        double error = 0, largest = 0;
        for (int64_t i = begin; i < begin + cols; ++i) {
            const double e = std::fabs(element(got, i) - element(want, i));
            error = e <= error ? error : e;  // Keeps a NaN.
            largest = std::fmax(largest, std::fabs(element(want, i)));
        }
        const double relative = error == 0 ? 0 : error / largest;
        worst = relative <= worst ? worst : relative;
    }
    return worst;
}

// The most steps of bf16 between an element of `got` and the rounded `want`.
inline int64_t worst_ulps(const Tensor& got, const Tensor& want) {
    CHECK(got.dtype == DType::bf16 && got.shape == want.shape, got, " and ", want);
    const auto ordered = [](double v) {
        const int bits = to_bf16(static_cast<float>(v)).bits;
        return bits & 0x8000 ? -(bits & 0x7fff) : bits;
    };
    int64_t worst = 0;
    for (int64_t i = 0; i < count_of(want); ++i)
        worst = std::max<int64_t>(worst,
                                  std::abs(ordered(element(got, i)) - ordered(element(want, i))));
    return worst;
}

inline Tolerance tolerance_of(DType dtype) { return dtype == DType::bf16 ? kBf16 : kF32; }

}  // namespace fathom::testing
