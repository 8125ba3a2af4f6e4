#include "kv/kv_cache.h"

#include <gtest/gtest.h>

#include <set>

namespace fathom {
namespace {

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

// Everything that decides the bytes of a block is in the line.
TEST(KvCache, FingerprintsTellLayoutsApart) {
    const KvLayout base(ModelArgs{}, LatentFormat::fp8, IndexFormat::fp8, 61, 64);
    EXPECT_EQ(layout_fingerprint(base),
              "kv1 latent=fp8 index=fp8 layers=61 block=64 rank=512 rope=64 dim=128");
    std::set<std::string> seen{layout_fingerprint(base)};
    const auto is_new = [&](auto&& change) {
        KvLayout other = base;
        change(other);
        return seen.insert(layout_fingerprint(other)).second;
    };
    EXPECT_TRUE(is_new([](KvLayout& l) { l.latent = LatentFormat::bf16; }));
    EXPECT_TRUE(is_new([](KvLayout& l) { l.index = IndexFormat::bf16; }));
    EXPECT_TRUE(is_new([](KvLayout& l) { l.layers = 62; }));
    EXPECT_TRUE(is_new([](KvLayout& l) { l.block_tokens = 128; }));
    EXPECT_TRUE(is_new([](KvLayout& l) { l.latent_rank = 256; }));
    EXPECT_TRUE(is_new([](KvLayout& l) { l.rope_dim = 32; }));
    EXPECT_TRUE(is_new([](KvLayout& l) { l.index_dim = 64; }));
}

}  // namespace
}  // namespace fathom
