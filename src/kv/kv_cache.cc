#include "kv/kv_cache.h"

namespace fathom {
namespace {

constexpr const char* kVersion = "kv1";  // Of docs/kv-layout.md.

const char* name_of(LatentFormat format) {
    constexpr const char* kNames[] = {"f32", "bf16", "fp8"};
    return kNames[static_cast<int>(format)];
}
const char* name_of(IndexFormat format) {
    constexpr const char* kNames[] = {"f32", "bf16", "fp8"};
    return kNames[static_cast<int>(format)];
}

}  // namespace

std::string layout_fingerprint(const KvLayout& layout) {
    return str(kVersion, " latent=", name_of(layout.latent), " index=", name_of(layout.index),
               " layers=", layout.layers, " block=", layout.block_tokens,
               " rank=", layout.latent_rank, " rope=", layout.rope_dim, " dim=", layout.index_dim);
}

KvCache::KvCache(const KvLayout& layout, int64_t num_blocks)
    : layout_(layout),
      num_blocks_(num_blocks),
      memory_(Buffer::host(num_blocks * layout.block_bytes())) {
    CHECK(num_blocks > 0 && layout.layers > 0, num_blocks, " blocks, ", layout.layers, " layers");
}

Tensor KvCache::latent(int layer) const {
    CHECK(0 <= layer && layer < layout_.layers, "layer ", layer, " of ", layout_.layers);
    Tensor t =
        view_of(static_cast<char*>(memory_.data()) + layer * layout_.layer_bytes(), DType::u8,
                {num_blocks_, int64_t{layout_.block_tokens}, layout_.latent_bytes()});
    t.stride[0] = layout_.block_bytes();
    return t;
}

Tensor KvCache::index_keys(int layer) const {
    CHECK(0 <= layer && layer < layout_.layers, "layer ", layer, " of ", layout_.layers);
    const int64_t latents = layout_.block_tokens * layout_.latent_bytes();
    Tensor t = view_of(static_cast<char*>(memory_.data()) + layer * layout_.layer_bytes() + latents,
                       DType::u8, {num_blocks_, layout_.block_tokens * layout_.index_bytes()});
    t.stride[0] = layout_.block_bytes();
    return t;
}

}  // namespace fathom
