#include "ops/add_rms_norm/add_rms_norm.h"

#include <gtest/gtest.h>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;
using testing::same_bits;

constexpr float kEps = 1e-6f;

// x + residual, never rounded.
HostTensor expected_sum(const Tensor& x, const Tensor& residual) {
    HostTensor sum = testing::allocate(DType::f64, {x.dim(0), x.dim(1)});
    for (int64_t i = 0; i < x.dim(0) * x.dim(1); ++i)
        sum.view.as<double>()[i] = element(x, i) + element(residual, i);
    return sum;
}

HostTensor expected(const Tensor& sum, const Tensor& weight, double eps) {
    HostTensor y = testing::allocate(DType::f64, {sum.dim(0), sum.dim(1)});
    const int64_t D = sum.dim(1);
    for (int64_t t = 0; t < sum.dim(0); ++t) {
        double squares = 0;
        for (int64_t d = 0; d < D; ++d) squares += std::pow(element(sum, t * D + d), 2);
        for (int64_t d = 0; d < D; ++d)
            y.view.as<double>()[t * D + d] =
                element(weight, d) * element(sum, t * D + d) / std::sqrt(squares / D + eps);
    }
    return y;
}

class AddRmsNorm : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;
};

TEST_P(AddRmsNorm, MatchesFormula) {
    for (const int64_t D : {33, 60, 256, 7168})
        for (const int64_t T : {1, 3, 40}) {
            auto x = testing::normal(GetParam(), {T, D}, 1);
            auto residual = testing::normal(GetParam(), {T, D}, 2, 3);
            auto w = testing::normal(DType::f32, {D}, 3);
            auto y = testing::poisoned(GetParam(), {T, D});
            const auto sum = expected_sum(x, residual);
            ops::add_rms_norm(s_, y, residual, x, w, kEps);
            const auto rounded = testing::converted(sum, GetParam());
            EXPECT_EQ(same_bits(residual, rounded), "") << T << " x " << D;
            EXPECT_EQ(compare(y, expected(sum, w, kEps), testing::tolerance_of(GetParam())), "")
                << T << " x " << D;
        }
}

TEST_P(AddRmsNorm, IsThePlainOneBitForBit) {
    for (const int64_t D : {1, 7, 33, 60, 256, 7168}) {
        auto x = testing::normal(GetParam(), {5, D}, 3), w = testing::normal(DType::f32, {D}, 4);
        auto a = testing::normal(GetParam(), {5, D}, 5), b = testing::normal(GetParam(), {5, D}, 5);
        auto y = testing::poisoned(GetParam(), {5, D}),
             want = testing::poisoned(GetParam(), {5, D});
        ops::add_rms_norm(s_, y, a, x, w, kEps);
        cpu::plain::add_rms_norm(s_, want, b, x, w, kEps);
        EXPECT_EQ(same_bits(y, want), "") << D;
        EXPECT_EQ(same_bits(a, b), "") << D;
    }
}

TEST_P(AddRmsNorm, InPlaceOnStridedViews) {
    const int64_t T = 21, D = 100;
    auto x = testing::normal(GetParam(), {T, D + 9}, 1),
         r = testing::normal(GetParam(), {T, D + 5}, 2);
    auto w = testing::normal(DType::f32, {D}, 3);
    const auto [x_left, x_right] = x.view.split_last(D, 9);
    const auto [r_left, r_right] = r.view.split_last(D, 5);
    const auto sum = expected_sum(x_left, r_left);
    const auto old_x = testing::converted(x_right, GetParam());
    const auto old_r = testing::converted(r_right, GetParam());
    ops::add_rms_norm(s_, x_left, r_left, x_left, w, kEps);
    EXPECT_EQ(compare(x_left, expected(sum, w, kEps), testing::tolerance_of(GetParam())), "");
    EXPECT_EQ(same_bits(r_left, testing::converted(sum, GetParam())), "");
    EXPECT_EQ(same_bits(x_right, old_x), "");
    EXPECT_EQ(same_bits(r_right, old_r), "");
}

// The sum 1 + 2^-9 is 1 in bf16; 256 such elements against one of 16 show what the norm has seen.
TEST(AddRmsNormRounding, TheNormSeesTheSumBeforeItIsRounded) {
    testing::CpuStream s;
    auto x = testing::allocate(DType::bf16, {1, 8}), r = testing::allocate(DType::bf16, {1, 8});
    for (int i = 0; i < 8; ++i) {
        testing::set(x, i, i == 0 ? 1.0f : 0.0f);
        testing::set(r, i, i == 0 ? 0x1p-8f * 0.75f : 0.0f);
    }
    auto w = testing::allocate(DType::f32, {8});
    for (int i = 0; i < 8; ++i) w.view.as<float>()[i] = 1;
    auto y = testing::poisoned(DType::bf16, {1, 8});
    // With eps as large as the sum's square, y = v / sqrt(v^2 / 8 + 1) grows with v.
    ops::add_rms_norm(s, y, r, x, w, 1.0f);
    const double v = 1 + 0x1p-8 * 0.75;
    EXPECT_EQ(y.view.as<bf16>()[0].bits,
              to_bf16(static_cast<float>(v / std::sqrt(v * v / 8 + 1))).bits);
    EXPECT_NE(
        y.view.as<bf16>()[0].bits,
        to_bf16(static_cast<float>((1 + 0x1p-7) / std::sqrt((1 + 0x1p-7) * (1 + 0x1p-7) / 8 + 1)))
            .bits);
}

TEST_P(AddRmsNorm, ARowAloneIsTheRowInABatch) {
    const int64_t T = 32, D = 1536;
    auto x = testing::normal(GetParam(), {T, D}, 5), w = testing::normal(DType::f32, {D}, 6);
    auto r = testing::normal(GetParam(), {T, D}, 7),
         single = testing::normal(GetParam(), {T, D}, 7);
    auto y = testing::poisoned(GetParam(), {T, D}), alone = testing::poisoned(GetParam(), {T, D});
    ops::add_rms_norm(s_, y, r, x, w, kEps);
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; ++t)
        ops::add_rms_norm(one, alone.view.rows(t, t + 1), single.view.rows(t, t + 1),
                          x.view.rows(t, t + 1), w, kEps);
    EXPECT_EQ(same_bits(alone, y), "");
    EXPECT_EQ(same_bits(single, r), "");
}

TEST_P(AddRmsNorm, Golden) {
    const testing::Golden golden("ops/norms.safetensors");
    const Tensor want = golden["add_rms_norm"];
    auto x = testing::converted(golden["x"], GetParam());
    auto residual = testing::converted(golden["residual"], GetParam());
    auto y = testing::poisoned(GetParam(), {want.dim(0), want.dim(1)});
    ops::add_rms_norm(s_, y, residual, x, testing::converted(golden["weight"], DType::f32), kEps);
    if (GetParam() == DType::bf16) {
        EXPECT_LE(testing::worst_ulps(y, want), 1);
        EXPECT_EQ(same_bits(residual, golden["add_residual"]), "");
    } else {
        EXPECT_LE(testing::worst_of_row(y, want), 1e-6);
    }
}

TEST_P(AddRmsNorm, NoRowsNoWork) {
    auto x = testing::zeros(GetParam(), {0, 16}), r = testing::zeros(GetParam(), {0, 16});
    ops::add_rms_norm(s_, x, r, x, testing::zeros(DType::f32, {16}), kEps);
}

TEST_P(AddRmsNorm, DeathOfAnAliasedResidual) {
    auto x = testing::zeros(GetParam(), {2, 16});
    EXPECT_DEATH(ops::add_rms_norm(s_, x, x, x, testing::zeros(DType::f32, {16}), kEps),
                 "residual is y or x");
}

INSTANTIATE_TEST_SUITE_P(DTypes, AddRmsNorm, ::testing::Values(DType::bf16, DType::f32));

}  // namespace
}  // namespace fathom
