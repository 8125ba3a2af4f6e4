#include "ops/linear/e4m3_bf16.h"
#include "ops/rows.h"
#include "ops/vec8.h"
#include "ops/weight_dequant/weight_dequant.h"

namespace fathom {

void cpu::weight_dequant(Stream& s, Tensor y, Tensor w, Tensor scale) {
    const int64_t N = w.dim(0), K = w.dim(1);
    for_rows(s, N, K, [&](int64_t n) {
        const auto* in = row<uint8_t>(w, n);
        auto* out = row<bf16>(y, n);
        const auto* scales = row<float>(scale, n / 128);
        vec8::for_each(K, [&](int64_t k, int64_t count) {  // 8 divides 128: one scale for all.
            bf16 values[8] = {};
            for (int64_t i = 0; i < count; ++i) values[i].bits = kE4m3AsBf16[in[k + i]];
            const __m256 factor = _mm256_set1_ps(scales[k / 128]);
            vec8::store(out + k, _mm256_mul_ps(vec8::load(values), factor), count);
        });
    });
}

}  // namespace fathom
