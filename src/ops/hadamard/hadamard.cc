#include "ops/hadamard/hadamard.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::hadamard(Stream& s, Tensor y, Tensor x) {
    Dim T("T"), D("D");
    expect_activation("x", x, {T, D});
    expect("y", y, {T, D}, x.dtype);
    CHECK(D > 0 && (D & (D - 1)) == 0, "D = ", D, " is no power of two");

    if (T == 0) return;
    const trace::Span span("hadamard");
    switch (s.device) {
        case Device::cpu: return cpu::hadamard(s, y, x);
        case Device::cuda: return cuda::hadamard(s, y, x);
    }
}

}  // namespace fathom
