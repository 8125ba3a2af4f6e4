#include "ops/moe_permute/moe_permute.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::moe_permute(Stream& s, Tensor rows, Tensor pairs, Tensor offsets, Tensor x,
                      Tensor experts) {
    Dim T("T"), D("D"), K("K");
    expect_activation("x", x, {T, D});
    expect("experts", experts, {T, K}, DType::i32);
    expect("rows", rows, {T * K, D}, x.dtype);
    expect("pairs", pairs, {T * K}, DType::i32);
    CHECK(offsets.rank == 1 && offsets.dim(0) >= 2, "offsets is ", offsets);
    expect("offsets", offsets, {offsets.dim(0)}, DType::i32);
    CHECK(T * K <= INT32_MAX, T, " tokens with ", K, " experts each");

    const trace::Span span("moe_permute");
    switch (s.device) {  // No tokens too: offsets is written.
        case Device::cpu: return cpu::moe_permute(s, rows, pairs, offsets, x, experts);
        case Device::cuda: return cuda::moe_permute(s, rows, pairs, offsets, x, experts);
    }
}

}  // namespace fathom
