#include "ops/sparse_attention/sparse_attention.h"

#include <cmath>

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::sparse_attention(Stream& s, Tensor o, Tensor lse, Tensor q_latent, Tensor q_pe,
                           Tensor cache, const PagedTokens& at, Tensor indices, LatentFormat format,
                           float scale) {
    Dim T("T"), H("H"), C("C"), R("R"), K("K"), blocks("num_blocks"), S("S"), M("M");
    expect_activation("q_latent", q_latent, {T, H, C});
    expect("q_pe", q_pe, {T, H, R}, q_latent.dtype);
    expect_activation("o", o, {T, H, C});
    if (lse.data != nullptr) expect("lse", lse, {T, H}, DType::f32);
    expect("indices", indices, {T, K}, DType::i32);
    expect("sequences", at.sequences, {T}, DType::i32);
    expect("block_tables", at.block_tables, {S, M}, DType::i32);
    CHECK(C == 512 && R == 64, "the widths that are built for are 512 and 64, not ", C, " and ", R);
    KvLayout layout;
    layout.latent = format;
    layout.latent_rank = static_cast<int>(C);
    layout.rope_dim = static_cast<int>(R);
    CHECK(at.block_tokens > 0, "block_tokens = ", at.block_tokens);
    expect("cache", cache, {blocks, at.block_tokens, layout.latent_bytes()}, DType::u8);
    CHECK(cache.stride[1] == layout.latent_bytes(), "the tokens of a block must lie together");
    CHECK(std::isfinite(scale), "scale = ", scale);

    if (T == 0) return;
    const trace::Span span("sparse_attention");
    switch (s.device) {
        case Device::cpu:
            return cpu::sparse_attention(s, o, lse, q_latent, q_pe, cache, at, indices, format,
                                         scale);
        case Device::cuda:
            return cuda::sparse_attention(s, o, lse, q_latent, q_pe, cache, at, indices, format,
                                          scale);
    }
}

}  // namespace fathom
