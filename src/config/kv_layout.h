#pragma once

#include <cstdint>

#include "base/check.h"
#include "config/args.h"

namespace fathom {

// How the compressed KV of a token (latent and rotated key part) lies in the cache.
//   f32   latent, k_pe in f32              (--dtype float32)
//   bf16  latent, k_pe in bf16             (--kv-cache-dtype bfloat16)
//   fp8   latent in e4m3 with one f32 scale (a power of two) per 128, k_pe in bf16: 656 bytes
enum class LatentFormat : uint8_t { f32, bf16, fp8 };
// How the lightning indexer's key lies there. fp8: Hadamard-rotated, e4m3 with one f32 scale: 132
// bytes; all codes of a block first, then its scales. f32 and bf16: neither rotated nor quantized.
enum class IndexFormat : uint8_t { f32, bf16, fp8 };

// The bytes of the cache, block by block (docs/kv-layout.md). A block is one contiguous piece:
// for each layer in turn the latents of its tokens, then their index keys.
struct KvLayout {
    LatentFormat latent = LatentFormat::fp8;
    IndexFormat index = IndexFormat::fp8;
    int layers = 0;
    int block_tokens = 64;
    int latent_rank = 512;  // kv_lora_rank
    int rope_dim = 64;      // qk_rope_head_dim
    int index_dim = 128;    // index_head_dim

    KvLayout() = default;
    // `layers` of the model are cached: n_layers, or n_all_layers() with the MTP layer's.
    KvLayout(const ModelArgs& args, LatentFormat latent, IndexFormat index, int layers,
             int block_tokens)
        : latent(latent),
          index(index),
          layers(layers),
          block_tokens(block_tokens),
          latent_rank(args.kv_lora_rank),
          rope_dim(args.qk_rope_head_dim),
          index_dim(args.index_head_dim) {}

    int64_t latent_bytes() const {  // Of one token in one layer.
        switch (latent) {
            case LatentFormat::f32: return 4 * (latent_rank + rope_dim);
            case LatentFormat::bf16: return 2 * (latent_rank + rope_dim);
            case LatentFormat::fp8: return latent_rank + latent_rank / 128 * 4 + 2 * rope_dim;
        }
        CHECK(false, "latent format ", static_cast<int>(latent));
    }
    int64_t index_bytes() const {
        switch (index) {
            case IndexFormat::f32: return 4 * index_dim;
            case IndexFormat::bf16: return 2 * index_dim;
            case IndexFormat::fp8: return index_dim + 4;
        }
        CHECK(false, "index format ", static_cast<int>(index));
    }
    int64_t layer_bytes() const { return block_tokens * (latent_bytes() + index_bytes()); }
    int64_t block_bytes() const { return layers * layer_bytes(); }
};

}  // namespace fathom
