#pragma once

#include <string>

#include "config/kv_layout.h"
#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace fathom {

// Owns the cache memory of a rank: num_blocks blocks, each one contiguous piece with a part for
// every layer (config/kv_layout.h, docs/kv-layout.md). Who uses which block: kv/block_pool.h.
class KvCache {
public:
    KvCache(const KvLayout& layout, int64_t num_blocks);

    const KvLayout& layout() const { return layout_; }
    int64_t num_blocks() const { return num_blocks_; }

    // u8 [num_blocks, block_tokens, latent_bytes], strided by block. 0 <= layer < layout().layers
    Tensor latent(int layer) const;
    // u8 [num_blocks, block_tokens * index_bytes], strided by block.
    Tensor index_keys(int layer) const;

private:
    const KvLayout layout_;
    const int64_t num_blocks_;
    Buffer memory_;
};

// One line of text that says all that decides the bytes of a block. Ranks whose lines are equal may
// exchange blocks as they are.
std::string layout_fingerprint(const KvLayout& layout);

}  // namespace fathom
