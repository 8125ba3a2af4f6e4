#include "ops/rms_norm/rms_norm.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::rms_norm(Stream& s, Tensor y, Tensor x, Tensor weight, float eps) {
    Dim T("T"), D("D");
    expect_activation("x", x, {T, D});
    expect("y", y, {T, D}, x.dtype);
    expect("weight", weight, {D}, DType::f32);
    CHECK(D > 0 && eps > 0, "D = ", D, ", eps = ", eps);

    if (T == 0) return;
    const trace::Span span("rms_norm");
    switch (s.device) {
        case Device::cpu: return cpu::rms_norm(s, y, x, weight, eps);
        case Device::cuda: return cuda::rms_norm(s, y, x, weight, eps);
    }
}

}  // namespace fathom
