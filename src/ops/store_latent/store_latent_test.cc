#include "ops/store_latent/store_latent.h"

#include <gtest/gtest.h>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/golden.h"
#include "testing/paged_cache.h"

namespace fathom {
namespace {

using namespace testing;

constexpr int kC = 512, kR = 64;

int64_t bytes_of(LatentFormat format) {
    KvLayout layout;
    layout.latent = format;
    return layout.latent_bytes();
}

template <class X>
double read(const uint8_t* from, int64_t i) {
    X value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof value), sizeof value);
    return to_float(value);
}

// The power of two that brings the largest of 128 numbers to at most 448, by the formula.
double scale_of(const Tensor& x, int64_t first) {
    double amax = 1e-4;
    for (int i = 0; i < 128; ++i) amax = std::max(amax, std::abs(element(x, first + i)));
    return std::exp2(std::ceil(std::log2(amax / 448)));
}

void expect_token(const uint8_t* row, const Tensor& kv, const Tensor& k_pe, int64_t t,
                  LatentFormat format) {
    for (int64_t c = 0; c < kC; ++c) {
        const double want = element(kv, t * kC + c);
        if (format == LatentFormat::f32) {
            ASSERT_EQ(read<float>(row, c), want);
        }
        if (format == LatentFormat::bf16) {
            ASSERT_EQ(read<bf16>(row, c), to_float(to_bf16(static_cast<float>(want))));
        }
        if (format != LatentFormat::fp8) continue;
        const double scale = scale_of(kv, t * kC + c / 128 * 128);
        ASSERT_EQ(read<float>(row + kC, c / 128), scale);
        ASSERT_EQ(row[c], to_f8e4m3(static_cast<float>(want / scale)).bits) << want;
    }
    const uint8_t* pe = row + (format == LatentFormat::fp8 ? 528 : kC * bytes_of(format) / 576);
    for (int64_t r = 0; r < kR; ++r) {
        const auto want = static_cast<float>(element(k_pe, t * kR + r));
        if (format == LatentFormat::f32) {
            ASSERT_EQ(read<float>(pe, r), want);
        }
        if (format != LatentFormat::f32) {
            ASSERT_EQ(read<bf16>(pe, r), to_float(to_bf16(want)));
        }
    }
}

void expect_stored(LatentFormat format, DType dtype, int block_tokens) {
    constexpr int kT = 37;
    CpuStream s;
    PagedCache cache(2, 40, block_tokens, bytes_of(format));
    const auto wide = normal(dtype, {kT, kC + kR + 8}, 3);
    const auto [kv_and_pe, unused] = wide.view.split_last(kC + kR, 8);
    const auto [kv, k_pe] = kv_and_pe.split_last(kC, kR);
    auto slots = allocate(DType::i32, {kT});
    for (int t = 0; t < kT; ++t)
        slots.view.as<int32_t>()[t] = t % 5 == 3 ? -1 : cache.slot(t % 2, t / 2);
    ops::store_latent(s, cache.tokens(), kv, k_pe, slots, format);

    int64_t written = 0;
    for (int t = 0; t < kT; ++t) {
        const int32_t slot = slots.view.as<int32_t>()[t];
        if (slot < 0) continue;
        uint8_t* row = cache.block(slot) + slot % block_tokens * cache.bytes;
        expect_token(row, kv, k_pe, t, format);
        std::fill_n(row, cache.bytes, PagedCache::kCanary);
        ++written;
    }
    EXPECT_EQ(written, 30);
    for (int64_t i = 0; i < count_of(cache.storage); ++i)
        ASSERT_EQ(cache.storage.view.as<uint8_t>()[i], PagedCache::kCanary) << "wrote elsewhere";
}

TEST(StoreLatent, BytesAreAsDocumentedAndNothingElseIsWritten) {
    for (LatentFormat format : {LatentFormat::f32, LatentFormat::bf16, LatentFormat::fp8})
        for (DType dtype : {DType::f32, DType::bf16})
            for (int block_tokens : {1, 16, 64}) expect_stored(format, dtype, block_tokens);
}

TEST(StoreLatent, QuantizesAsTheGoldens) {
    CpuStream s;
    const Golden golden("ops/act_quant.safetensors");
    const Tensor x = golden["x"];
    const int64_t rows = x.dim(0);
    // One golden row fills each of the four groups of a latent.
    auto kv = allocate(DType::bf16, {rows, kC}), k_pe = zeros(DType::bf16, {rows, kR});
    for (int64_t i = 0; i < rows * kC; ++i)
        set(kv, i, static_cast<float>(element(x, i / kC * 128 + i % 128)));
    PagedCache cache(1, static_cast<int>(rows), 64, 656);
    auto slots = allocate(DType::i32, {rows});
    for (int t = 0; t < rows; ++t) slots.view.as<int32_t>()[t] = cache.slot(0, t);
    ops::store_latent(s, cache.tokens(), kv, k_pe, slots, LatentFormat::fp8);
    const auto* codes = golden["codes"].as<uint8_t>();
    for (int t = 0; t < rows; ++t) {
        const uint8_t* row = cache.block(cache.slot(0, t)) + t % 64 * 656;
        for (int c = 0; c < kC; ++c) ASSERT_EQ(row[c], codes[t * 128 + c % 128]) << t << ", " << c;
        for (int g = 0; g < 4; ++g)
            ASSERT_EQ(read<float>(row + kC, g), element(golden["scale"], t)) << t;
    }
}

TEST(StoreLatent, NoTokensNoWork) {
    CpuStream s;
    PagedCache cache(1, 2, 2, 656);
    auto kv = normal(DType::bf16, {1, kC}, 1), k_pe = normal(DType::bf16, {1, kR}, 1);
    auto slots = zeros(DType::i32, {1});
    ops::store_latent(s, cache.tokens(), kv.view.rows(0, 0), k_pe.view.rows(0, 0),
                      slots.view.rows(0, 0), LatentFormat::fp8);
    for (int64_t i = 0; i < count_of(cache.storage); ++i)
        ASSERT_EQ(cache.storage.view.as<uint8_t>()[i], PagedCache::kCanary);
}

TEST(StoreLatentDeathTest, RefusesASlotThatIsNotThere) {
    CpuStream s(1);
    PagedCache cache(1, 2, 2, 656);
    auto kv = normal(DType::bf16, {1, kC}, 1), k_pe = normal(DType::bf16, {1, kR}, 1);
    auto slots = allocate(DType::i32, {1});
    for (int32_t slot : {8, -2}) {
        slots.view.as<int32_t>()[0] = slot;
        EXPECT_DEATH(ops::store_latent(s, cache.tokens(), kv, k_pe, slots, LatentFormat::fp8),
                     "of 8");
    }
}

}  // namespace
}  // namespace fathom
