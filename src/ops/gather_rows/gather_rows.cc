#include "ops/gather_rows/gather_rows.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::gather_rows(Stream& s, Tensor y, Tensor x, Tensor rows) {
    Dim T("T"), R("R"), D("D");
    expect_activation("x", x, {T, D});
    expect("rows", rows, {R}, DType::i32);
    expect("y", y, {R, D}, x.dtype);

    if (R == 0) return;
    const trace::Span span("gather_rows");
    switch (s.device) {
        case Device::cpu: return cpu::gather_rows(s, y, x, rows);
        case Device::cuda: return cuda::gather_rows(s, y, x, rows);
    }
}

}  // namespace fathom
