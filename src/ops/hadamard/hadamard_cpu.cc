#include <cmath>
#include <cstring>

#include "ops/hadamard/hadamard.h"
#include "ops/rows.h"
#include "ops/vec8.h"

namespace fathom {
namespace {

// (a, b) -> (a + b, a - b) for neighbours 1, 2 and 4 apart, inside eight elements.
__m256 butterfly8(__m256 v) {
    const auto step = [](__m256 v, __m256 swapped, __m256 minus) {
        return _mm256_add_ps(swapped, _mm256_xor_ps(v, minus));
    };
    const __m256 n = _mm256_set1_ps(-0.0f), z = _mm256_setzero_ps();
    v = step(v, _mm256_permute_ps(v, 0xb1), _mm256_blend_ps(z, n, 0xaa));
    v = step(v, _mm256_permute_ps(v, 0x4e), _mm256_blend_ps(z, n, 0xcc));
    return step(v, _mm256_permute2f128_ps(v, v, 1), _mm256_blend_ps(z, n, 0xf0));
}

void transform(float* v, int64_t D) {
    if (D >= 8)
        for (int64_t d = 0; d < D; d += 8) vec8::store(v + d, butterfly8(vec8::load(v + d)));
    for (int64_t half = D >= 8 ? 8 : 1; half < D; half *= 2)
        for (int64_t begin = 0; begin < D; begin += 2 * half)
            for (int64_t i = begin; i < begin + half; ++i) {
                const float a = v[i], b = v[i + half];
                v[i] = a + b;
                v[i + half] = a - b;
            }
}

template <class T>
void run(Stream& s, Tensor y, Tensor x) {
    const int64_t D = x.dim(1);
    CHECK(D * sizeof(float) <= Workers::kScratchBytes, "D = ", D);
    const __m256 scale = _mm256_set1_ps(static_cast<float>(1 / std::sqrt(static_cast<double>(D))));
    const int64_t grain = std::max<int64_t>(1, 8192 / D);
    s.workers->parallel_for(x.dim(0), grain, [&](int64_t begin, int64_t end, int worker) {
        auto* v = reinterpret_cast<float*>(s.workers->scratch(worker).data());
        for (int64_t t = begin; t < end; ++t) {
            const T* in = row<T>(x, t);
            T* out = row<T>(y, t);
            vec8::for_each(
                D, [&](int64_t d, int64_t n) { vec8::store(v + d, vec8::load(in + d, n), n); });
            transform(v, D);
            vec8::for_each(D, [&](int64_t d, int64_t n) {
                vec8::store(out + d, _mm256_mul_ps(vec8::load(v + d, n), scale), n);
            });
        }
    });
}

}  // namespace

void cpu::hadamard(Stream& s, Tensor y, Tensor x) {
    x.dtype == DType::bf16 ? run<bf16>(s, y, x) : run<float>(s, y, x);
}

}  // namespace fathom
