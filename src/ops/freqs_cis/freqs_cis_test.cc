#include "ops/freqs_cis/freqs_cis.h"

#include <gtest/gtest.h>

#include "ops/op_testing.h"

namespace fathom {
namespace {

TEST(FreqsCis, Golden) {
    const testing::Golden golden("ops/rope.safetensors");
    const Tensor angle = golden["angle"];
    testing::CpuStream s;
    const int64_t T = angle.dim(0), half = angle.dim(1);
    auto cis = testing::poisoned(DType::f32, {T, half, 2});
    ops::freqs_cis(s, cis, testing::converted(golden["positions"], DType::i32),
                   testing::converted(golden["inv_freq"], DType::f32));
    for (int64_t i = 0; i < T * half; ++i) {
        // The golden's own inv_freq: only the rounding of the result is left.
        ASSERT_NEAR(testing::element(cis, 2 * i), testing::element(golden["cos"], i), 6e-8) << i;
        ASSERT_NEAR(testing::element(cis, 2 * i + 1), testing::element(golden["sin"], i), 6e-8);
    }
}

TEST(FreqsCis, TheAngleIsRoundedToF32) {
    testing::CpuStream s;
    auto position = testing::allocate(DType::i32, {1}), freq = testing::allocate(DType::f32, {1});
    *position.view.as<int32_t>() = 163839;
    *freq.view.as<float>() = 0.7943282f;  // 163839 * it needs more than 24 bits.
    auto cis = testing::poisoned(DType::f32, {1, 1, 2});
    ops::freqs_cis(s, cis, position, freq);
    const double exact = 163839 * static_cast<double>(0.7943282f);
    const double rounded = static_cast<float>(exact);
    ASSERT_GT(std::fabs(exact - rounded), 1e-3);
    EXPECT_EQ(testing::element(cis, 0), static_cast<float>(std::cos(rounded)));
    EXPECT_EQ(testing::element(cis, 1), static_cast<float>(std::sin(rounded)));
}

TEST(FreqsCis, ARowAloneIsTheRowInABatch) {
    testing::CpuStream s, one(1);
    const int64_t T = 100, half = 32;
    auto positions = testing::allocate(DType::i32, {T});
    for (int64_t t = 0; t < T; ++t) positions.view.as<int32_t>()[t] = static_cast<int>(t * 1609);
    auto freq = testing::normal(DType::f32, {half}, 1);
    auto cis = testing::poisoned(DType::f32, {T, half, 2}),
         alone = testing::poisoned(DType::f32, {T, half, 2});
    ops::freqs_cis(s, cis, positions, freq);
    for (int64_t t = 0; t < T; ++t)
        ops::freqs_cis(one, alone.view.rows(t, t + 1), positions.view.rows(t, t + 1), freq);
    EXPECT_EQ(testing::same_bits(alone, cis), "");
    EXPECT_EQ(testing::element(cis, 0), 1);
    EXPECT_EQ(testing::element(cis, 1), 0);
}

TEST(FreqsCis, NoTokensNoWork) {
    testing::CpuStream s;
    ops::freqs_cis(s, testing::zeros(DType::f32, {0, 4, 2}), testing::zeros(DType::i32, {0}),
                   testing::zeros(DType::f32, {4}));
}

TEST(FreqsCisDeath, OfANegativePosition) {
    testing::CpuStream s(1);
    auto positions = testing::poisoned(DType::i32, {1});
    EXPECT_DEATH(ops::freqs_cis(s, testing::zeros(DType::f32, {1, 4, 2}), positions,
                                testing::zeros(DType::f32, {4})),
                 "position -99 of token 0");
}

}  // namespace
}  // namespace fathom
