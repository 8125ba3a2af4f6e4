#include "ops/head_matmul/head_matmul.h"

#include "base/trace.h"
#include "ops/linear/gemm.h"
#include "tensor/expect.h"

namespace fathom {

void ops::head_matmul(Stream& s, Tensor y, Tensor x, std::span<const Linear> w) {
    Dim T("T");
    CHECK(!w.empty(), "no heads");
    const auto H = static_cast<int64_t>(w.size());
    expect_activation("x", x, {T, H, w[0].K});
    expect_activation("y", y, {T, H, w[0].N});
    for (const Linear& head : w) {
        CHECK(head.kind == Linear::Kind::bf16 && head.N == w[0].N && head.K == w[0].K,
              "heads differ: ", name_of(head.kind), " ", head.N, " x ", head.K);
        gemm::check(head);
    }

    if (T == 0) return;
    const trace::Span span("head_matmul");
    switch (s.device) {
        case Device::cpu: return cpu::head_matmul(s, y, x, w);
        case Device::cuda: return cuda::head_matmul(s, y, x, w);
    }
}

}  // namespace fathom
