#include "ops/weight_dequant/weight_dequant.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::weight_dequant(Stream& s, Tensor y, Tensor w, Tensor scale) {
    Dim N("N"), K("K");
    expect("w", w, {N, K}, DType::f8e4m3);
    expect("y", y, {N, K}, DType::bf16);
    expect("scale", scale, {(N + 127) / 128, (K + 127) / 128}, DType::f32);

    if (N == 0 || K == 0) return;
    const trace::Span span("weight_dequant");
    switch (s.device) {
        case Device::cpu: return cpu::weight_dequant(s, y, w, scale);
        case Device::cuda: return cuda::weight_dequant(s, y, w, scale);
    }
}

}  // namespace fathom
