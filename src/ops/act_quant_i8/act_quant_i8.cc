#include "ops/act_quant_i8/act_quant_i8.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::act_quant_i8_dynamic(Stream& s, Tensor codes, Tensor scales, Tensor x) {
    Dim T("T"), K("K");
    expect_activation("x", x, {T, K});
    expect("codes", codes, {T, K}, DType::i8);
    expect("scales", scales, {T}, DType::f32);

    if (T == 0) return;
    const trace::Span span("act_quant_i8_dynamic");
    switch (s.device) {
        case Device::cpu: return cpu::act_quant_i8_dynamic(s, codes, scales, x);
        case Device::cuda: return cuda::act_quant_i8_dynamic(s, codes, scales, x);
    }
}

void ops::act_quant_i8_static(Stream& s, Tensor codes, Tensor x, float scale, float offset) {
    Dim T("T"), K("K");
    expect_activation("x", x, {T, K});
    expect("codes", codes, {T, K}, DType::i8);
    CHECK(scale > 0, "scale = ", scale);

    if (T == 0) return;
    const trace::Span span("act_quant_i8_static");
    switch (s.device) {
        case Device::cpu: return cpu::act_quant_i8_static(s, codes, x, scale, offset);
        case Device::cuda: return cuda::act_quant_i8_static(s, codes, x, scale, offset);
    }
}

}  // namespace fathom
