#include "ops/moe_combine/moe_combine.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::moe_combine(Stream& s, Tensor y, Tensor rows, Tensor pairs, Tensor weights,
                      Tensor shared) {
    Dim T("T"), D("D"), K("K");
    expect_activation("y", y, {T, D});
    expect("weights", weights, {T, K}, DType::f32);
    expect_activation("rows", rows, {T * K, D});
    expect("pairs", pairs, {T * K}, DType::i32);
    expect("shared", shared, {T, D}, rows.dtype);
    CHECK(weights.is_contiguous(), "weights is strided");

    if (T == 0) return;
    const trace::Span span("moe_combine");
    switch (s.device) {
        case Device::cpu: return cpu::moe_combine(s, y, rows, pairs, weights, shared);
        case Device::cuda: return cuda::moe_combine(s, y, rows, pairs, weights, shared);
    }
}

}  // namespace fathom
