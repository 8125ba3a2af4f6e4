// The layout on paper (docs/kv-layout.md) and the one in code are the same.
#include "config/kv_layout.h"

#include <gtest/gtest.h>

#include <cstddef>

namespace fathom {
namespace {

// The rows of the page, as a compiler lays them out.
struct Fp8Latent {
    uint8_t codes[512];
    float scales[4];
    uint16_t k_pe[64];
};
static_assert(offsetof(Fp8Latent, scales) == 512);
static_assert(offsetof(Fp8Latent, k_pe) == 528);
static_assert(sizeof(Fp8Latent) == 656);
static_assert(sizeof(Fp8Latent) % 16 == 0, "rows are read 16 bytes at a time");

template <int B>
struct Fp8IndexKeys {
    uint8_t codes[B][128];
    float scales[B];
};
static_assert(offsetof(Fp8IndexKeys<64>, scales) == 64 * 128);
static_assert(sizeof(Fp8IndexKeys<64>) == 64 * 132);

// A whole layer of a block: nothing lies between its parts.
template <int B>
struct Fp8Layer {
    Fp8Latent latents[B];
    Fp8IndexKeys<B> index_keys;
};
static_assert(offsetof(Fp8Layer<16>, index_keys) == 16 * 656);
static_assert(sizeof(Fp8Layer<128>) == 128 * 788);

KvLayout layout(LatentFormat latent, IndexFormat index, int block_tokens) {
    return {ModelArgs{}, latent, index, /*layers=*/61, block_tokens};
}

TEST(KvLayout, RowsAsOnPaper) {
    const KvLayout fp8 = layout(LatentFormat::fp8, IndexFormat::fp8, 64);
    EXPECT_EQ(fp8.latent_bytes(), static_cast<int64_t>(sizeof(Fp8Latent)));
    EXPECT_EQ(fp8.index_bytes(), 132);
    const KvLayout bf16 = layout(LatentFormat::bf16, IndexFormat::bf16, 64);
    EXPECT_EQ(bf16.latent_bytes(), 1152);
    EXPECT_EQ(bf16.index_bytes(), 256);
    const KvLayout f32 = layout(LatentFormat::f32, IndexFormat::f32, 64);
    EXPECT_EQ(f32.latent_bytes(), 2304);
    EXPECT_EQ(f32.index_bytes(), 512);
}

TEST(KvLayout, BlocksAsOnPaper) {
    EXPECT_EQ(layout(LatentFormat::fp8, IndexFormat::fp8, 16).layer_bytes(),
              static_cast<int64_t>(sizeof(Fp8Layer<16>)));
    EXPECT_EQ(layout(LatentFormat::fp8, IndexFormat::fp8, 128).layer_bytes(),
              static_cast<int64_t>(sizeof(Fp8Layer<128>)));
    EXPECT_EQ(layout(LatentFormat::fp8, IndexFormat::fp8, 64).block_bytes(), 3'076'352);
    EXPECT_EQ(layout(LatentFormat::bf16, IndexFormat::bf16, 64).block_bytes(), 5'496'832);
    EXPECT_EQ(layout(LatentFormat::f32, IndexFormat::f32, 64).block_bytes(), 10'993'664);
}

TEST(KvLayout, SizesComeFromTheModel) {
    ModelArgs args;
    args.kv_lora_rank = 256;
    args.qk_rope_head_dim = 32;
    args.index_head_dim = 64;
    const KvLayout small(args, LatentFormat::fp8, IndexFormat::fp8, 2, 16);
    EXPECT_EQ(small.latent_bytes(), 256 + 2 * 4 + 2 * 32);
    EXPECT_EQ(small.index_bytes(), 64 + 4);
    EXPECT_EQ(small.block_bytes(), 2 * 16 * (328 + 68));
}

}  // namespace
}  // namespace fathom
