#include <cmath>

#include "ops/add_rms_norm/add_rms_norm.h"
#include "ops/rows.h"
#include "ops/sum32.h"

namespace fathom {
namespace {

template <class T>
void run_plain(Tensor y, Tensor residual, Tensor x, const float* w, float eps) {
    const int64_t D = x.dim(1);
    for (int64_t t = 0; t < x.dim(0); ++t) {
        const T* in = row<T>(x, t);
        T *res = row<T>(residual, t), *out = row<T>(y, t);
        const auto sum = [&](int64_t d) { return to_float(in[d]) + to_float(res[d]); };
        const float squares = sum32::plain::sum_squares(D, sum);
        const float rrms = 1.0f / std::sqrt(squares / static_cast<float>(D) + eps);
        for (int64_t d = 0; d < D; ++d) {
            const float v = sum(d);
            out[d] = round_to<T>(v * rrms * w[d]);
            res[d] = round_to<T>(v);
        }
    }
}

template <class T>
void run(Stream& s, Tensor y, Tensor residual, Tensor x, const float* w, float eps) {
    const int64_t D = x.dim(1);
    for_rows(s, x.dim(0), D, [&](int64_t t) {
        const T* in = row<T>(x, t);
        T *res = row<T>(residual, t), *out = row<T>(y, t);
        const auto sum = [&](int64_t d, int64_t n) {
            return _mm256_add_ps(vec8::load(in + d, n), vec8::load(res + d, n));
        };
        const float squares = sum32::sum_squares(D, sum);
        const __m256 rrms = _mm256_set1_ps(1.0f / std::sqrt(squares / static_cast<float>(D) + eps));
        vec8::for_each(D, [&](int64_t d, int64_t n) {
            const __m256 v = sum(d, n), scaled = _mm256_mul_ps(v, rrms);
            vec8::store(out + d, _mm256_mul_ps(scaled, vec8::load(w + d, n)), n);
            vec8::store(res + d, v, n);
        });
    });
}

}  // namespace

void cpu::plain::add_rms_norm(Stream&, Tensor y, Tensor residual, Tensor x, Tensor weight,
                              float eps) {
    const auto* w = weight.as<float>();
    x.dtype == DType::bf16 ? run_plain<bf16>(y, residual, x, w, eps)
                           : run_plain<float>(y, residual, x, w, eps);
}

void cpu::add_rms_norm(Stream& s, Tensor y, Tensor residual, Tensor x, Tensor weight, float eps) {
    const auto* w = weight.as<float>();
    x.dtype == DType::bf16 ? run<bf16>(s, y, residual, x, w, eps)
                           : run<float>(s, y, residual, x, w, eps);
}

}  // namespace fathom
