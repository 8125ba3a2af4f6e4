#include "ops/index_weights/index_weights.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::index_weights(Stream& s, Tensor weights, Tensor q_scales, float factor) {
    Dim T("T"), H("H");
    expect("weights", weights, {T, H}, DType::f32);
    if (q_scales.data != nullptr) expect("q_scales", q_scales, {T, H}, DType::f32);
    CHECK(factor > 0, "factor = ", factor);

    if (T == 0) return;
    const trace::Span span("index_weights");
    switch (s.device) {
        case Device::cpu: return cpu::index_weights(s, weights, q_scales, factor);
        case Device::cuda: return cuda::index_weights(s, weights, q_scales, factor);
    }
}

}  // namespace fathom
