#include "ops/silu_mul/silu_mul.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::silu_mul(Stream& s, Tensor y, Tensor gate, Tensor up) {
    Dim T("T"), D("D");
    expect_activation("gate", gate, {T, D});
    expect("up", up, {T, D}, gate.dtype);
    expect("y", y, {T, D}, gate.dtype);
    CHECK(D > 0, "D = ", D);

    if (T == 0) return;
    const trace::Span span("silu_mul");
    switch (s.device) {
        case Device::cpu: return cpu::silu_mul(s, y, gate, up);
        case Device::cuda: return cuda::silu_mul(s, y, gate, up);
    }
}

}  // namespace fathom
