#include <cmath>

#include "ops/rows.h"
#include "ops/silu_mul/silu_mul.h"
#include "ops/vec8.h"

namespace fathom {
namespace {

template <class T>
void run_plain(Tensor y, Tensor gate, Tensor up) {
    for (int64_t t = 0; t < y.dim(0); ++t) {
        const T *g = row<T>(gate, t), *u = row<T>(up, t);
        T* out = row<T>(y, t);
        for (int64_t d = 0; d < y.dim(1); ++d) {
            const float v = to_float(g[d]);
            out[d] = round_to<T>(v / (1.0f + std::exp(-v)) * to_float(u[d]));
        }
    }
}

template <class T>
void run(Stream& s, Tensor y, Tensor gate, Tensor up) {
    const int64_t D = y.dim(1);
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    for_rows(s, y.dim(0), D, [&](int64_t t) {
        const T *g = row<T>(gate, t), *u = row<T>(up, t);
        T* out = row<T>(y, t);
        vec8::for_each(D, [&](int64_t d, int64_t n) {
            const __m256 v = vec8::load(g + d, n);
            const __m256 e = vec8::exp(_mm256_xor_ps(v, sign));
            const __m256 silu = _mm256_div_ps(v, _mm256_add_ps(one, e));
            vec8::store(out + d, _mm256_mul_ps(silu, vec8::load(u + d, n)), n);
        });
    });
}

}  // namespace

void cpu::plain::silu_mul(Stream&, Tensor y, Tensor gate, Tensor up) {
    y.dtype == DType::bf16 ? run_plain<bf16>(y, gate, up) : run_plain<float>(y, gate, up);
}

void cpu::silu_mul(Stream& s, Tensor y, Tensor gate, Tensor up) {
    y.dtype == DType::bf16 ? run<bf16>(s, y, gate, up) : run<float>(s, y, gate, up);
}

}  // namespace fathom
