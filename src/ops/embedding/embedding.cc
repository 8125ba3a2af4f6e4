#include "ops/embedding/embedding.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::embedding(Stream& s, Tensor y, Tensor tokens, Tensor table) {
    Dim T("T"), V("V"), D("D");
    expect("tokens", tokens, {T}, DType::i32);
    expect("table", table, {V, D}, DType::bf16);
    expect_activation("y", y, {T, D});

    if (T == 0) return;
    const trace::Span span("embedding");
    switch (s.device) {
        case Device::cpu: return cpu::embedding(s, y, tokens, table);
        case Device::cuda: return cuda::embedding(s, y, tokens, table);
    }
}

}  // namespace fathom
