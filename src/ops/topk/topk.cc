#include "ops/topk/topk.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::topk(Stream& s, Tensor indices, Tensor logits, Tensor positions) {
    Dim T("T"), K("K"), P("P");
    expect("logits", logits, {T, P}, DType::f32);
    expect("positions", positions, {T}, DType::i32);
    expect("indices", indices, {T, K}, DType::i32);
    CHECK(K >= 1, "K = ", K);
    CHECK(P < int64_t{1} << 31, "positions are i32, P = ", P);

    if (T == 0) return;
    const trace::Span span("topk");
    switch (s.device) {
        case Device::cpu: return cpu::topk(s, indices, logits, positions);
        case Device::cuda: return cuda::topk(s, indices, logits, positions);
    }
}

}  // namespace fathom
