#pragma once

#include <string>

#include "tensor/tensor.h"

namespace fathom::testing {

// How far `got` may be from `want`. All three must hold; each catches what the others miss:
// `rel` a single bad element, `rms` a bad row, `scale` a wrong factor on everything.
struct Tolerance {
    double rel;    // |got - want| <= rel * max(|want|, rms(want)), per element
    double rms;    // rms(got - want) <= rms * rms(want), per row
    double scale;  // |<got, want> / <want, want> - 1| <= scale + rms / sqrt(size), over all
};

// For a bf16 result accumulated in f32. Rounding to bf16 costs at most 2^-9 = 0.002 of an
// element and has no bias: four times, twice and half of that.
inline constexpr Tolerance kBf16{.rel = 8e-3, .rms = 4e-3, .scale = 1e-3};
// For an f32 result: sums of some thousand terms in f32 against f64.
inline constexpr Tolerance kF32{.rel = 2e-5, .rms = 1e-6, .scale = 1e-6};
// Bit for bit.
inline constexpr Tolerance kExact{.rel = 0, .rms = 0, .scale = 0};

// Empty when the tensors agree, else one line: what, where, how much. Shapes must be equal (any
// rank; a row is the last dimension), dtypes need not be. Disagreement is also: NaN on either side,
// an infinity that the other has not, nothing to compare.
std::string compare(const Tensor& got, const Tensor& want, Tolerance tolerance);

// Element i of t, counted over its shape in row-major order (strides respected).
double element(const Tensor& t, int64_t i);

}  // namespace fathom::testing
