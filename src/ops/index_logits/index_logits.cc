#include "ops/index_logits/index_logits.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::index_logits(Stream& s, Tensor logits, Tensor q, Tensor weights, Tensor cache,
                       const PagedTokens& at, IndexFormat format) {
    Dim T("T"), P("P"), H("H"), D("D"), blocks("num_blocks"), S("S"), M("M");
    const DType dtypes[] = {DType::f32, DType::bf16, DType::f8e4m3};  // In IndexFormat's order.
    expect("q", q, {T, H, D}, dtypes[static_cast<int>(format)]);
    expect("weights", weights, {T, H}, DType::f32);
    expect("logits", logits, {T, P}, DType::f32);
    expect("positions", at.positions, {T}, DType::i32);
    expect("sequences", at.sequences, {T}, DType::i32);
    expect("block_tables", at.block_tables, {S, M}, DType::i32);
    CHECK(D == 128, "the width that is built for is 128, q is ", q);
    KvLayout layout;
    layout.index = format;
    layout.index_dim = static_cast<int>(D);
    CHECK(at.block_tokens > 0, "block_tokens = ", at.block_tokens);
    expect("cache", cache, {blocks, at.block_tokens * layout.index_bytes()}, DType::u8);

    if (T == 0) return;
    const trace::Span span("index_logits");
    switch (s.device) {
        case Device::cpu: return cpu::index_logits(s, logits, q, weights, cache, at, format);
        case Device::cuda: return cuda::index_logits(s, logits, q, weights, cache, at, format);
    }
}

}  // namespace fathom
