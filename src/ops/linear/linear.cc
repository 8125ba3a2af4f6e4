#include "ops/linear/linear.h"

#include "base/trace.h"
#include "ops/linear/gemm.h"
#include "tensor/expect.h"

namespace fathom {

void ops::linear(Stream& s, Tensor y, Tensor x, const Linear& w) {
    Dim T("T");
    expect_activation("x", x, {T, w.K});
    expect_activation("y", y, {T, w.N});
    gemm::check(w);

    if (T == 0) return;
    const trace::Span span("linear");
    switch (s.device) {
        case Device::cpu: return cpu::linear(s, y, x, w);
        case Device::cuda: return cuda::linear(s, y, x, w);
    }
}

}  // namespace fathom
