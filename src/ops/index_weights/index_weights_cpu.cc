#include "ops/index_weights/index_weights.h"

namespace fathom {

void cpu::index_weights(Stream&, Tensor weights, Tensor q_scales, float factor) {
    const int64_t T = weights.dim(0), H = weights.dim(1);
    for (int64_t t = 0; t < T; ++t) {
        float* w = weights.as<float>() + t * weights.row_stride();
        for (int64_t h = 0; h < H; ++h) w[h] *= factor;
        if (q_scales.data == nullptr) continue;
        const float* scale = q_scales.as<float>() + t * q_scales.row_stride();
        for (int64_t h = 0; h < H; ++h) w[h] *= scale[h];
    }
}

}  // namespace fathom
