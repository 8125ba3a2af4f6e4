#include "ops/store_index_keys/store_index_keys.h"

#include "base/trace.h"
#include "tensor/expect.h"

namespace fathom {

void ops::store_index_keys(Stream& s, Tensor cache, Tensor k, Tensor slots, int block_tokens,
                           IndexFormat format) {
    Dim T("T"), D("D"), blocks("num_blocks");
    expect_activation("k", k, {T, D});
    expect("slots", slots, {T}, DType::i32);
    KvLayout layout;
    layout.index = format;
    layout.index_dim = static_cast<int>(D);
    CHECK(block_tokens > 0, "block_tokens = ", block_tokens);
    expect("cache", cache, {blocks, block_tokens * layout.index_bytes()}, DType::u8);
    CHECK(format != IndexFormat::fp8 || D == 128, "an fp8 key has one scale per 128, D = ", D);

    if (T == 0) return;
    const trace::Span span("store_index_keys");
    switch (s.device) {
        case Device::cpu: return cpu::store_index_keys(s, cache, k, slots, block_tokens, format);
        case Device::cuda: return cuda::store_index_keys(s, cache, k, slots, block_tokens, format);
    }
}

}  // namespace fathom
