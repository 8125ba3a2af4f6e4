#include "ops/weight_dequant/weight_dequant.h"

#include <gtest/gtest.h>

#include "ops/linear/e4m3_bf16.h"
#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::same_bits;

TEST(WeightDequant, MatchesFormula) {  // Blocks that are not full, and rows that fill no vector.
    testing::CpuStream s;
    for (const auto& [N, K] : {std::pair<int64_t, int64_t>{576, 256}, {1, 1}, {130, 133}, {5, 7}}) {
        const auto w = testing::normal(DType::f8e4m3, {N, K}, 1, 100);
        auto scale = testing::normal(DType::f32, {(N + 127) / 128, (K + 127) / 128}, 2);
        auto y = testing::poisoned(DType::bf16, {N, K});
        ops::weight_dequant(s, y, w, scale);
        for (int64_t n = 0; n < N; ++n)
            for (int64_t k = 0; k < K; ++k) {
                // A product of 4 and 24 bits is rounded to 24 only where bf16 rounds again.
                const double exact = testing::element(w, n * K + k) *
                                     testing::element(scale, n / 128 * ((K + 127) / 128) + k / 128);
                ASSERT_EQ(testing::element(y, n * K + k),
                          to_float(to_bf16(static_cast<float>(exact))))
                    << n << ", " << k << " of " << N << " x " << K;
            }
    }
}

TEST(WeightDequant, EveryCode) {  // The table that all kernels decode with.
    const testing::Golden golden("ops/e4m3.safetensors");
    for (int code = 0; code < 256; ++code) {
        const float want = golden["decode"].as<float>()[code],
                    got = to_float(bf16{kE4m3AsBf16[code]});
        EXPECT_TRUE(std::isnan(want) ? std::isnan(got) : got == want) << code;
        EXPECT_EQ(std::signbit(want), std::signbit(got)) << code;
    }
}

TEST(WeightDequant, StridedRowsAndOneThread) {
    const auto w = testing::normal(DType::f8e4m3, {260, 200}, 3, 50);
    auto scale = testing::normal(DType::f32, {3, 2}, 4);
    auto wide = testing::poisoned(DType::bf16, {260, 200 + 9});
    const auto [y, rest] = wide.view.split_last(200, 9);
    const auto before = testing::converted(rest, DType::bf16);
    testing::CpuStream one(1), two(2);
    ops::weight_dequant(two, y, w, scale);
    auto want = testing::poisoned(DType::bf16, {260, 200});
    ops::weight_dequant(one, want, w, scale);
    EXPECT_EQ(same_bits(y, want), "");
    EXPECT_EQ(same_bits(rest, before), "");
}

TEST(WeightDequant, NoRowsNoWork) {
    testing::CpuStream s;
    ops::weight_dequant(s, testing::allocate(DType::bf16, {0, 8}),
                        testing::allocate(DType::f8e4m3, {0, 8}),
                        testing::allocate(DType::f32, {0, 1}));
}

TEST(WeightDequant, DeathOfTooFewScales) {
    testing::CpuStream s;
    const auto w = testing::zeros(DType::f8e4m3, {129, 8});
    EXPECT_DEATH(ops::weight_dequant(s, testing::allocate(DType::bf16, {129, 8}), w,
                                     testing::allocate(DType::f32, {1, 1})),
                 "scale is f32.1, 1.: dim 0 must be 2");
}

}  // namespace
}  // namespace fathom
