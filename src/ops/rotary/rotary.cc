#include "ops/rotary/rotary.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::rotary(Stream& s, Tensor x, Tensor cis, Rope rope) {
    Dim T("T"), H("H"), R("R");
    expect_activation("x", x, {T, H, R});
    CHECK(R % 2 == 0, "R = ", R);
    expect("cis", cis, {T, R / 2, 2}, DType::f32);
    CHECK(cis.is_contiguous(), "cis is strided");

    if (T == 0 || H == 0) return;
    const trace::Span span("rotary");
    switch (s.device) {
        case Device::cpu: return cpu::rotary(s, x, cis, rope);
        case Device::cuda: return cuda::rotary(s, x, cis, rope);
    }
}

}  // namespace fathom
