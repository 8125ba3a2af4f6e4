#include "ops/add/add.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::add(Stream& s, Tensor y, Tensor a, Tensor b) {
    Dim T("T"), D("D");
    expect_activation("y", y, {T, D});
    expect("a", a, {T, D}, y.dtype);
    expect("b", b, {T, D}, y.dtype);

    if (T == 0) return;
    const trace::Span span("add");
    switch (s.device) {
        case Device::cpu: return cpu::add(s, y, a, b);
        case Device::cuda: return cuda::add(s, y, a, b);
    }
}

}  // namespace fathom
