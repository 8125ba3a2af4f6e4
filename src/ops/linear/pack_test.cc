#include "ops/linear/pack.h"

#include <gtest/gtest.h>

#include <set>

#include "ops/linear/linear_testing.h"

namespace fathom {
namespace {

using Kind = Linear::Kind;

class Pack : public ::testing::TestWithParam<Kind> {};

constexpr std::pair<int64_t, int64_t> kSizes[] = {{16, 128}, {64, 640}, {33, 67},
                                                  {5, 1},    {48, 130}, {32, 31}};

TEST_P(Pack, EveryByteHasItsPlace) {
    for (const auto& [N, K] : kSizes) {
        const auto w = testing::random_linear(GetParam(), N, K, 1);
        const int64_t size = size_of(w.weight.view.dtype);
        std::set<int64_t> places;
        for (int64_t n = 0; n < N; ++n) {
            std::vector<char> row(K * size);
            unpack_row(GetParam(), row.data(), w.packed.view.data, K, n);
            ASSERT_EQ(std::memcmp(row.data(), w.weight.view.as<char>() + n * K * size, K * size), 0)
                << "row " << n << " of " << N << " x " << K;
            for (int64_t k = 0; k < K; ++k) places.insert(packed_offset(GetParam(), K, n, k));
        }
        EXPECT_EQ(std::ssize(places), N * K);
        EXPECT_LE(*places.rbegin() + size, packed_bytes(GetParam(), N, K));
    }
}

TEST_P(Pack, WhatIsNotThereIsZero) {  // Products with the padding must be 0, never NaN.
    for (const auto& [N, K] : kSizes) {
        const auto w = testing::random_linear(GetParam(), N, K, 2);
        const int64_t size = size_of(w.weight.view.dtype), panels = (N + 15) / 16;
        std::vector<char> kept(panels * panel_bytes(GetParam(), K), 0);
        for (int64_t n = 0; n < N; ++n)
            for (int64_t k = 0; k < K; ++k)
                std::memcpy(kept.data() + packed_offset(GetParam(), K, n, k),
                            w.weight.view.as<char>() + (n * K + k) * size, size);
        EXPECT_EQ(std::memcmp(kept.data(), w.packed.view.data, kept.size()), 0) << N << " x " << K;
    }
}

TEST_P(Pack, InPartsAsAtOnce) {
    const int64_t N = 70, K = 96;
    const auto w = testing::random_linear(GetParam(), N, K, 3);
    const int64_t row_bytes = K * size_of(w.weight.view.dtype);
    auto parts = testing::poisoned(DType::u8, {packed_bytes(GetParam(), N, K)});
    for (const auto& [begin, end] : {std::pair{48, 70}, {0, 16}, {16, 48}})
        pack_rows(GetParam(), parts.view.data, N, K, w.weight.view.as<char>() + begin * row_bytes,
                  row_bytes, begin, end);
    EXPECT_EQ(testing::same_bits(parts, w.packed), "");
}

TEST_P(Pack, RowsOfAWiderTensor) {  // A rank's columns of a weight, at an odd address.
    const int64_t N = 32, K = 64, wide = 200;
    const auto w = testing::random_linear(GetParam(), N, wide, 4);
    const int64_t size = size_of(w.weight.view.dtype);
    std::vector<char> packed(packed_bytes(GetParam(), N, K));
    const char* from = w.weight.view.as<char>() + 3 * size;
    pack_rows(GetParam(), packed.data(), N, K, from, wide * size, 0, N);
    for (int64_t n = 0; n < N; ++n) {
        std::vector<char> row(K * size);
        unpack_row(GetParam(), row.data(), packed.data(), K, n);
        ASSERT_EQ(std::memcmp(row.data(), from + n * wide * size, K * size), 0) << n;
    }
}

TEST_P(Pack, DeathOfTwoWritersOfAPanel) {
    std::vector<char> packed(packed_bytes(GetParam(), 64, 32)), rows(64 * 64);
    EXPECT_DEATH(pack_rows(GetParam(), packed.data(), 64, 32, rows.data(), 32, 8, 64),
                 "a panel has one writer: 8..64 of 64");
    EXPECT_DEATH(pack_rows(GetParam(), packed.data(), 64, 32, rows.data(), 32, 0, 40),
                 "a panel has one writer: 0..40 of 64");
}

TEST(PackSums, AreTheSumsOfTheRows) {
    for (const auto& [N, K] : kSizes) {
        const auto w = testing::random_linear(Kind::w8a8_static, N, K, 5);
        const int32_t* sums = packed_sums(w.packed.view.data, N, K);
        for (int64_t n = 0; n < (N + 15) / 16 * 16; ++n) {
            int64_t sum = 0;
            for (int64_t k = 0; k < K && n < N; ++k) sum += w.weight.view.as<int8_t>()[n * K + k];
            ASSERT_EQ(sums[n], sum) << n << " of " << N << " x " << K;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Pack,
                         ::testing::Values(Kind::bf16, Kind::fp8, Kind::w8a8_static,
                                           Kind::w8a8_dynamic),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace fathom
