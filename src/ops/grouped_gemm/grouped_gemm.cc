#include "ops/grouped_gemm/grouped_gemm.h"

#include "base/trace.h"
#include "ops/linear/gemm.h"
#include "tensor/expect.h"

namespace fathom {

void ops::grouped_gemm(Stream& s, Tensor y, Tensor x, Tensor offsets, std::span<const Linear> w) {
    Dim R("R");
    CHECK(!w.empty(), "no experts");
    expect_activation("x", x, {R, w[0].K});
    expect_activation("y", y, {R, w[0].N});
    expect("offsets", offsets, {static_cast<int64_t>(w.size()) + 1}, DType::i32);
    for (const Linear& expert : w) {
        CHECK(expert.kind == w[0].kind && expert.N == w[0].N && expert.K == w[0].K,
              "experts differ: ", name_of(expert.kind), " ", expert.N, " x ", expert.K);
        gemm::check(expert);
    }

    if (R == 0) return;
    const trace::Span span("grouped_gemm");
    switch (s.device) {
        case Device::cpu: return cpu::grouped_gemm(s, y, x, offsets, w);
        case Device::cuda: return cuda::grouped_gemm(s, y, x, offsets, w);
    }
}

}  // namespace fathom
