#include "ops/layer_norm/layer_norm.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::layer_norm(Stream& s, Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) {
    Dim T("T"), D("D");
    expect_activation("x", x, {T, D});
    expect("y", y, {T, D}, x.dtype);
    expect("weight", weight, {D}, DType::f32);
    expect("bias", bias, {D}, DType::f32);
    CHECK(D > 0 && eps > 0, "D = ", D, ", eps = ", eps);

    if (T == 0) return;
    const trace::Span span("layer_norm");
    switch (s.device) {
        case Device::cpu: return cpu::layer_norm(s, y, x, weight, bias, eps);
        case Device::cuda: return cuda::layer_norm(s, y, x, weight, bias, eps);
    }
}

}  // namespace fathom
