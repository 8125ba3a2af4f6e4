#include <cmath>

#include "ops/layer_norm/layer_norm.h"
#include "ops/rows.h"
#include "ops/sum32.h"

namespace fathom {
namespace {

template <class T>
void run_plain(Tensor y, Tensor x, const float* w, const float* b, float eps) {
    const int64_t D = x.dim(1);
    const auto size = static_cast<float>(D);
    for (int64_t t = 0; t < x.dim(0); ++t) {
        const T* in = row<T>(x, t);
        T* out = row<T>(y, t);
        const float mean = sum32::plain::sum(D, [&](int64_t d) { return to_float(in[d]); }) / size;
        const auto difference = [&](int64_t d) { return to_float(in[d]) - mean; };
        const float variance = sum32::plain::sum_squares(D, difference) / size;
        const float scale = 1.0f / std::sqrt(variance + eps);
        for (int64_t d = 0; d < D; ++d)
            out[d] = round_to<T>(std::fma(difference(d) * scale, w[d], b[d]));
    }
}

template <class T>
void run(Stream& s, Tensor y, Tensor x, const float* w, const float* b, float eps) {
    const int64_t D = x.dim(1);
    const auto size = static_cast<float>(D);
    for_rows(s, x.dim(0), D, [&](int64_t t) {
        const T* in = row<T>(x, t);
        T* out = row<T>(y, t);
        const auto value = [&](int64_t d, int64_t n) { return vec8::load(in + d, n); };
        const __m256 mean = _mm256_set1_ps(sum32::sum(D, value) / size);
        const auto difference = [&](int64_t d, int64_t n) {  // 0 behind the end of the row.
            const __m256 v = _mm256_sub_ps(value(d, n), mean);
            return n == 8 ? v : _mm256_and_ps(v, vec8::first(n));
        };
        const float variance = sum32::sum_squares(D, difference) / size;
        const __m256 scale = _mm256_set1_ps(1.0f / std::sqrt(variance + eps));
        vec8::for_each(D, [&](int64_t d, int64_t n) {
            const __m256 scaled = _mm256_mul_ps(difference(d, n), scale);
            const __m256 v = _mm256_fmadd_ps(scaled, vec8::load(w + d, n), vec8::load(b + d, n));
            vec8::store(out + d, v, n);
        });
    });
}

}  // namespace

void cpu::plain::layer_norm(Stream&, Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) {
    const float *w = weight.as<float>(), *b = bias.as<float>();
    x.dtype == DType::bf16 ? run_plain<bf16>(y, x, w, b, eps) : run_plain<float>(y, x, w, b, eps);
}

void cpu::layer_norm(Stream& s, Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) {
    const float *w = weight.as<float>(), *b = bias.as<float>();
    x.dtype == DType::bf16 ? run<bf16>(s, y, x, w, b, eps) : run<float>(s, y, x, w, b, eps);
}

}  // namespace fathom
