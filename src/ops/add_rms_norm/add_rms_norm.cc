#include "ops/add_rms_norm/add_rms_norm.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::add_rms_norm(Stream& s, Tensor y, Tensor residual, Tensor x, Tensor weight, float eps) {
    Dim T("T"), D("D");
    expect_activation("x", x, {T, D});
    expect("y", y, {T, D}, x.dtype);
    expect("residual", residual, {T, D}, x.dtype);
    expect("weight", weight, {D}, DType::f32);
    CHECK(D > 0 && eps > 0, "D = ", D, ", eps = ", eps);
    CHECK(T == 0 || (residual.data != y.data && residual.data != x.data), "residual is y or x");

    if (T == 0) return;
    const trace::Span span("add_rms_norm");
    switch (s.device) {
        case Device::cpu: return cpu::add_rms_norm(s, y, residual, x, weight, eps);
        case Device::cuda: return cuda::add_rms_norm(s, y, residual, x, weight, eps);
    }
}

}  // namespace fathom
