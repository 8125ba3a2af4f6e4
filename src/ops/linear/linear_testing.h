// Random weights of every kind, and the product in double, for the tests of linear and its kin.
#pragma once

#include <cmath>
#include <vector>

#include "ops/linear/pack.h"
#include "ops/op_testing.h"

namespace fathom::testing {

// A Linear and what it points to.
struct LinearOwner {
    HostTensor weight;  // As in a checkpoint: [N, K] in bf16, f8e4m3 or i8.
    HostTensor packed, scale, quant_bias;
    Linear linear;
};

inline void pack(LinearOwner& owner, Linear::Kind kind) {
    const int64_t N = owner.weight.view.dim(0), K = owner.weight.view.dim(1);
    owner.packed = poisoned(DType::u8, {packed_bytes(kind, N, K)});
    pack_rows(kind, owner.packed.view.data, N, K, owner.weight.view.data,
              K * size_of(owner.weight.view.dtype), 0, N);
    owner.linear = {.kind = kind, .N = N, .K = K, .packed = owner.packed};
}

inline LinearOwner random_linear(Linear::Kind kind, int64_t N, int64_t K, uint32_t seed) {
    using enum Linear::Kind;
    LinearOwner owner;
    const DType dtype = kind == bf16 ? DType::bf16 : kind == fp8 ? DType::f8e4m3 : DType::i8;
    const float std = kind == bf16 ? 0.05f : kind == fp8 ? 60.0f : 40.0f;
    owner.weight = allocate(dtype, {N, K});
    std::mt19937 rng(seed);
    std::normal_distribution<float> draw(0, std);
    for (int64_t i = 0; i < N * K; ++i)
        set(owner.weight, i, std::fmax(-128, std::fmin(127, draw(rng))));
    pack(owner, kind);
    const auto positive = [&](std::initializer_list<int64_t> shape) {
        HostTensor t = allocate(DType::f32, shape);
        std::uniform_real_distribution<float> uniform(1e-3f, 4e-3f);
        for (int64_t i = 0; i < count_of(t); ++i) set(t, i, uniform(rng));
        return t;
    };
    if (kind == fp8) owner.scale = positive({(N + 127) / 128, K / 128});
    if (kind == w8a8_static || kind == w8a8_dynamic) owner.scale = positive({N});
    owner.linear.scale = owner.scale;
    if (kind == w8a8_static) {
        owner.quant_bias = normal(DType::i32, {N}, seed + 1, 3000);
        owner.linear.quant_bias = owner.quant_bias;
        owner.linear.input_scale = 0.021f;
        owner.linear.input_offset = 3;
    }
    return owner;
}

// The nearest e4m3 of v: three bits behind the first, none below 2^-9.
inline double nearest_e4m3(double v) {
    if (v == 0) return 0;
    const double step = std::exp2(std::max(std::floor(std::log2(std::fabs(v))), -6.0) - 3);
    return std::fmax(-448, std::fmin(448, std::nearbyint(v / step) * step));
}

// One row of x as linear() takes it: values, and what each counts.
struct QuantizedRow {
    std::vector<double> values, scales;
};
inline QuantizedRow quantized(const Tensor& x, int64_t t, const Linear& w) {
    using enum Linear::Kind;
    QuantizedRow row{std::vector<double>(w.K), std::vector<double>(w.K, 1.0)};
    const auto at = [&](int64_t k) { return element(x, t * w.K + k); };
    const auto amax = [&](int64_t begin, int64_t end) {
        double most = 0;
        for (int64_t k = begin; k < end; ++k) most = std::fmax(most, std::fabs(at(k)));
        return most;
    };
    const float per_row = w.kind == w8a8_dynamic ? static_cast<float>(amax(0, w.K)) / 127.0f : 0;
    for (int64_t k = 0; k < w.K; ++k) {
        const auto f = static_cast<float>(at(k));
        row.values[k] = f;
        if (w.kind == fp8) {
            const double most = std::fmax(amax(k / 128 * 128, k / 128 * 128 + 128), 1e-4);
            row.scales[k] = std::exp2(std::ceil(std::log2(most / 448)));
            row.values[k] = nearest_e4m3(f / row.scales[k]);
        } else if (w.kind == w8a8_dynamic) {
            row.scales[k] = per_row;
            row.values[k] = per_row == 0 ? 0 : std::nearbyint(f / per_row);
        } else if (w.kind == w8a8_static) {
            const float code = std::nearbyint(f / w.input_scale + w.input_offset);
            row.values[k] = std::fmax(-128.0f, std::fmin(127.0f, code));
        }
    }
    return row;
}

// y in f64, and in `magnitude` the sums of the absolute products, f64 too.
inline HostTensor expected(const Tensor& x, const LinearOwner& owner, HostTensor* magnitude) {
    const Linear& w = owner.linear;
    const int64_t T = x.dim(0);
    HostTensor y = allocate(DType::f64, {T, w.N});
    *magnitude = allocate(DType::f64, {T, w.N});
    for (int64_t t = 0; t < T; ++t) {
        const QuantizedRow row = quantized(x, t, w);
        for (int64_t n = 0; n < w.N; ++n) {
            double sum = w.kind == Linear::Kind::w8a8_static ? element(w.quant_bias, n) : 0;
            double total = std::fabs(sum), factor = 1;
            for (int64_t k = 0; k < w.K; ++k) {
                double term = row.values[k] * row.scales[k] * element(owner.weight, n * w.K + k);
                if (w.kind == Linear::Kind::fp8)
                    term *= element(w.scale, n / 128 * (w.K / 128) + k / 128);
                sum += term;
                total += std::fabs(term);
            }
            if (w.kind != Linear::Kind::bf16 && w.kind != Linear::Kind::fp8)
                factor = element(w.scale, n);
            y.view.as<double>()[t * w.N + n] = sum * factor;
            magnitude->view.as<double>()[t * w.N + n] = total * std::fabs(factor);
        }
    }
    return y;
}

// The largest |got - want| in units of the sum of absolute products; NaN counts as infinite.
inline double worst_of_sums(const Tensor& got, const Tensor& want, const Tensor& magnitude) {
    CHECK(got.shape == want.shape, got, " and ", want);
    double worst = 0;
    for (int64_t i = 0; i < count_of(want); ++i) {
        const double error = std::fabs(element(got, i) - element(want, i));
        if (error == 0) continue;
        const double relative = error / element(magnitude, i);
        worst = relative <= worst ? worst : std::isnan(relative) ? INFINITY : relative;
    }
    return worst;
}

}  // namespace fathom::testing
