#include "ops/store_index_keys/store_index_keys.h"

#include <gtest/gtest.h>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/paged_cache.h"

namespace fathom {
namespace {

using namespace testing;

constexpr int kD = 128;

template <class X>
double read(const uint8_t* from, int64_t i) {
    X value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof value), sizeof value);
    return to_float(value);
}

double scale_of(const Tensor& x, int64_t first) {
    double amax = 1e-4;
    for (int i = 0; i < kD; ++i) amax = std::max(amax, std::abs(element(x, first + i)));
    return std::exp2(std::ceil(std::log2(amax / 448)));
}

// Checks one key and paints over it, scale included.
void expect_key(uint8_t* block, int64_t offset, int64_t B, const Tensor& k, int64_t t,
                IndexFormat format) {
    const int64_t size = format == IndexFormat::f32 ? 4 : format == IndexFormat::bf16 ? 2 : 1;
    uint8_t* row = block + offset * kD * size;
    const double scale = scale_of(k, t * kD);
    for (int64_t d = 0; d < kD; ++d) {
        const auto want = static_cast<float>(element(k, t * kD + d));
        if (format == IndexFormat::f32) {
            ASSERT_EQ(read<float>(row, d), want);
        }
        if (format == IndexFormat::bf16) {
            ASSERT_EQ(read<bf16>(row, d), to_float(to_bf16(want)));
        }
        if (format == IndexFormat::fp8) {
            ASSERT_EQ(row[d], to_f8e4m3(static_cast<float>(want / scale)).bits) << want;
        }
    }
    std::fill_n(row, kD * size, PagedCache::kCanary);
    if (format != IndexFormat::fp8) return;
    uint8_t* scales = block + B * kD;
    ASSERT_EQ(read<float>(scales, offset), scale);
    std::fill_n(scales + offset * 4, 4, PagedCache::kCanary);
}

void expect_stored(IndexFormat format, DType dtype, int block_tokens) {
    constexpr int kT = 150;
    CpuStream s;
    KvLayout layout;
    layout.index = format;
    PagedCache cache(2, 80, block_tokens, layout.index_bytes());
    const auto wide = normal(dtype, {kT, kD + 8}, 3);
    const auto [k, unused] = wide.view.split_last(kD, 8);
    auto slots = allocate(DType::i32, {kT});
    for (int t = 0; t < kT; ++t)
        slots.view.as<int32_t>()[t] = t % 5 == 3 ? -1 : cache.slot(t % 2, t / 2);
    ops::store_index_keys(s, cache.whole_blocks(), k, slots, block_tokens, format);

    int64_t written = 0;
    for (int t = 0; t < kT; ++t) {
        const int32_t slot = slots.view.as<int32_t>()[t];
        if (slot < 0) continue;
        expect_key(cache.block(slot), slot % block_tokens, block_tokens, k, t, format);
        ++written;
    }
    EXPECT_EQ(written, 120);
    for (int64_t i = 0; i < count_of(cache.storage); ++i)
        ASSERT_EQ(cache.storage.view.as<uint8_t>()[i], PagedCache::kCanary) << "wrote elsewhere";
}

TEST(StoreIndexKeys, BytesAreAsDocumentedAndNothingElseIsWritten) {
    for (IndexFormat format : {IndexFormat::f32, IndexFormat::bf16, IndexFormat::fp8})
        for (DType dtype : {DType::f32, DType::bf16})
            for (int block_tokens : {1, 16, 64}) expect_stored(format, dtype, block_tokens);
}

TEST(StoreIndexKeys, NoTokensNoWork) {
    CpuStream s;
    PagedCache cache(1, 2, 2, 132);
    auto k = normal(DType::bf16, {1, kD}, 1);
    auto slots = zeros(DType::i32, {1});
    ops::store_index_keys(s, cache.whole_blocks(), k.view.rows(0, 0), slots.view.rows(0, 0), 2,
                          IndexFormat::fp8);
    for (int64_t i = 0; i < count_of(cache.storage); ++i)
        ASSERT_EQ(cache.storage.view.as<uint8_t>()[i], PagedCache::kCanary);
}

TEST(StoreIndexKeysDeathTest, RefusesASlotThatIsNotThere) {
    CpuStream s(1);
    PagedCache cache(1, 2, 2, 132);
    auto k = normal(DType::bf16, {1, kD}, 1);
    auto slots = allocate(DType::i32, {1});
    for (int32_t slot : {8, -2}) {
        slots.view.as<int32_t>()[0] = slot;
        EXPECT_DEATH(ops::store_index_keys(s, cache.whole_blocks(), k, slots, 2, IndexFormat::fp8),
                     "of 8");
    }
}

}  // namespace
}  // namespace fathom
