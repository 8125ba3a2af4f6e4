#include "kv/kv_cache.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(KvLayout, BytesOfDeepSeekV32) {
    const KvLayout fp8(ModelArgs{}, LatentFormat::fp8, IndexFormat::fp8, 61, 64);
    EXPECT_EQ(fp8.latent_bytes(), 656);
    EXPECT_EQ(fp8.index_bytes(), 132);
    EXPECT_EQ(fp8.block_bytes(), 61 * 64 * 788);
    const KvLayout bf16(ModelArgs{}, LatentFormat::bf16, IndexFormat::bf16, 61, 64);
    EXPECT_EQ(bf16.latent_bytes(), 1152);
    EXPECT_EQ(bf16.index_bytes(), 256);
    const KvLayout f32(ModelArgs{}, LatentFormat::f32, IndexFormat::f32, 61, 64);
    EXPECT_EQ(f32.latent_bytes(), 2304);
    EXPECT_EQ(f32.index_bytes(), 512);
}

// A block is one contiguous piece: layer after layer, latents then index keys.
TEST(KvCache, LayersOfABlockFollowEachOther) {
    const KvLayout layout(ModelArgs{}, LatentFormat::fp8, IndexFormat::fp8, 2, 16);
    const KvCache cache(layout, 3);
    const auto at = [](const Tensor& t, int64_t block) {
        return t.rows(block, block + 1).as<char>();
    };
    const char* base = at(cache.latent(0), 0);
    EXPECT_EQ(at(cache.index_keys(0), 0) - base, 16 * 656);
    EXPECT_EQ(at(cache.latent(1), 0) - base, 16 * 788);
    EXPECT_EQ(at(cache.index_keys(1), 0) - base, 16 * 788 + 16 * 656);
    EXPECT_EQ(at(cache.latent(0), 1) - base, 2 * 16 * 788);
    EXPECT_EQ(at(cache.index_keys(1), 2) - base, layout.block_bytes() * 2 + 16 * 788 + 16 * 656);
    EXPECT_EQ(cache.latent(0).dim(1), 16);
    EXPECT_DEATH(cache.latent(2), "layer 2 of 2");
}

}  // namespace
}  // namespace fathom
