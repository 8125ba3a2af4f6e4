#include <cmath>

#include "ops/rms_norm/rms_norm.h"
#include "ops/rows.h"
#include "ops/sum32.h"

namespace fathom {
namespace {

template <class T>
void run_plain(Tensor y, Tensor x, const float* w, float eps) {
    const int64_t D = x.dim(1);
    for (int64_t t = 0; t < x.dim(0); ++t) {
        const T* in = row<T>(x, t);
        T* out = row<T>(y, t);
        const float squares =
            sum32::plain::sum_squares(D, [&](int64_t d) { return to_float(in[d]); });
        const float rrms = 1.0f / std::sqrt(squares / static_cast<float>(D) + eps);
        for (int64_t d = 0; d < D; ++d) out[d] = round_to<T>(to_float(in[d]) * rrms * w[d]);
    }
}

template <class T>
void run(Stream& s, Tensor y, Tensor x, const float* w, float eps) {
    const int64_t D = x.dim(1);
    for_rows(s, x.dim(0), D, [&](int64_t t) {
        const T* in = row<T>(x, t);
        T* out = row<T>(y, t);
        const float squares =
            sum32::sum_squares(D, [&](int64_t d, int64_t n) { return vec8::load(in + d, n); });
        const __m256 rrms = _mm256_set1_ps(1.0f / std::sqrt(squares / static_cast<float>(D) + eps));
        vec8::for_each(D, [&](int64_t d, int64_t n) {
            const __m256 scaled = _mm256_mul_ps(vec8::load(in + d, n), rrms);
            vec8::store(out + d, _mm256_mul_ps(scaled, vec8::load(w + d, n)), n);
        });
    });
}

}  // namespace

void cpu::plain::rms_norm(Stream&, Tensor y, Tensor x, Tensor weight, float eps) {
    const auto* w = weight.as<float>();
    x.dtype == DType::bf16 ? run_plain<bf16>(y, x, w, eps) : run_plain<float>(y, x, w, eps);
}

void cpu::rms_norm(Stream& s, Tensor y, Tensor x, Tensor weight, float eps) {
    const auto* w = weight.as<float>();
    x.dtype == DType::bf16 ? run<bf16>(s, y, x, w, eps) : run<float>(s, y, x, w, eps);
}

}  // namespace fathom
