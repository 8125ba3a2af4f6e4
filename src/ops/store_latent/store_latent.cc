#include "ops/store_latent/store_latent.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::store_latent(Stream& s, Tensor cache, Tensor kv, Tensor k_pe, Tensor slots,
                       LatentFormat format) {
    Dim T("T"), C("C"), R("R"), blocks("num_blocks"), B("block_tokens"), bytes("bytes");
    expect_activation("kv", kv, {T, C});
    expect_activation("k_pe", k_pe, {T, R});
    expect("slots", slots, {T}, DType::i32);
    expect("cache", cache, {blocks, B, bytes}, DType::u8);
    CHECK(kv.dtype == k_pe.dtype, "kv is ", kv, ", k_pe is ", k_pe);
    CHECK(cache.stride[1] == bytes, "the tokens of a block must lie together");
    CHECK(format != LatentFormat::fp8 || C % 128 == 0, "fp8 scales are per 128, C = ", C);
    KvLayout layout;
    layout.latent = format;
    layout.latent_rank = static_cast<int>(C);
    layout.rope_dim = static_cast<int>(R);
    CHECK(bytes == layout.latent_bytes(), "cache is ", cache, ", a token takes ",
          layout.latent_bytes());

    if (T == 0) return;
    const trace::Span span("store_latent");
    switch (s.device) {
        case Device::cpu: return cpu::store_latent(s, cache, kv, k_pe, slots, format);
        case Device::cuda: return cuda::store_latent(s, cache, kv, k_pe, slots, format);
    }
}

}  // namespace fathom
