#include "ops/act_quant/act_quant.h"

#include "base/trace.h"
#include "ops/act_quant/act_quant_row.h"
#include "tensor/expect.h"

namespace fathom {

void ops::act_quant(Stream& s, Tensor codes, Tensor scales, Tensor x, ScaleFormat format) {
    Dim T("T"), K("K");
    expect_activation("x", x, {T, K});
    CHECK(K % kActQuantGroup == 0, "groups of ", kActQuantGroup, ", K = ", K);
    expect("codes", codes, {T, K}, DType::f8e4m3);
    expect("scales", scales, {T, K / kActQuantGroup}, DType::f32);

    if (T == 0) return;
    const trace::Span span("act_quant");
    switch (s.device) {
        case Device::cpu: return cpu::act_quant(s, codes, scales, x, format);
        case Device::cuda: return cuda::act_quant(s, codes, scales, x, format);
    }
}

}  // namespace fathom
