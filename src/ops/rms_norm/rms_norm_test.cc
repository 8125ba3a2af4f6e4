#include "ops/rms_norm/rms_norm.h"

#include <gtest/gtest.h>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::HostTensor;
using testing::same_bits;

constexpr float kEps = 1e-6f;

HostTensor expected(const Tensor& x, const Tensor& weight, double eps) {
    HostTensor y = testing::allocate(DType::f64, {x.dim(0), x.dim(1)});
    for (int64_t t = 0; t < x.dim(0); ++t) {
        double mean_square = eps;
        for (int64_t d = 0; d < x.dim(1); ++d)
            mean_square += std::pow(testing::element(x, t * x.dim(1) + d), 2) / x.dim(1);
        for (int64_t d = 0; d < x.dim(1); ++d)
            y.view.as<double>()[t * x.dim(1) + d] = testing::element(x, t * x.dim(1) + d) *
                                                    testing::element(weight, d) /
                                                    std::sqrt(mean_square);
    }
    return y;
}

class RmsNorm : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;
};

// Widths of the model (kv_lora_rank, q_lora_rank, dim), and those that do not fill vectors.
constexpr int64_t kWidths[] = {1, 7, 8, 31, 33, 60, 512, 1536, 7168};

TEST_P(RmsNorm, MatchesFormula) {
    for (const int64_t D : kWidths)
        for (const int64_t T : {1, 3, 70}) {
            auto x = testing::normal(GetParam(), {T, D}, 1),
                 y = testing::poisoned(GetParam(), {T, D});
            auto w = testing::normal(DType::f32, {D}, 2);
            ops::rms_norm(s_, y, x, w, kEps);
            EXPECT_EQ(compare(y, expected(x, w, kEps), testing::tolerance_of(GetParam())), "")
                << T << " x " << D;
        }
}

TEST_P(RmsNorm, IsThePlainOneBitForBit) {
    for (const int64_t D : kWidths) {
        auto x = testing::normal(GetParam(), {5, D}, 3), w = testing::normal(DType::f32, {D}, 4);
        auto y = testing::poisoned(GetParam(), {5, D}),
             want = testing::poisoned(GetParam(), {5, D});
        ops::rms_norm(s_, y, x, w, kEps);
        cpu::plain::rms_norm(s_, want, x, w, kEps);
        EXPECT_EQ(same_bits(y, want), "") << D;
    }
}

TEST_P(RmsNorm, InPlaceOnAStridedView) {  // As MLA does with the first 512 of 576 columns.
    for (const int64_t D : {512, 27}) {
        auto kv = testing::normal(GetParam(), {37, D + 64}, 3);
        auto w = testing::normal(DType::f32, {D}, 4);
        const auto [left, right] = kv.view.split_last(D, 64);
        const auto want = expected(left, w, kEps);
        const auto old = testing::converted(right, GetParam());
        ops::rms_norm(s_, left, left, w, kEps);
        EXPECT_EQ(compare(left, want, testing::tolerance_of(GetParam())), "");
        EXPECT_EQ(same_bits(right, old), "") << "wrote past D";
    }
}

TEST_P(RmsNorm, ARowAloneIsTheRowInABatch) {
    const int64_t T = 64, D = 1536;
    auto x = testing::normal(GetParam(), {T, D}, 5), w = testing::normal(DType::f32, {D}, 6);
    auto y = testing::poisoned(GetParam(), {T, D});
    ops::rms_norm(s_, y, x, w, kEps);
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; ++t) {
        auto alone = testing::poisoned(GetParam(), {1, D});
        ops::rms_norm(one, alone, x.view.rows(t, t + 1), w, kEps);
        ASSERT_EQ(same_bits(alone, y.view.rows(t, t + 1)), "") << t;
    }
}

TEST_P(RmsNorm, RowOfZerosStaysZero) {  // Without eps it would be 0 * inf.
    auto x = testing::zeros(GetParam(), {1, 64}), y = testing::poisoned(GetParam(), {1, 64});
    ops::rms_norm(s_, y, x, testing::normal(DType::f32, {64}, 2), kEps);
    EXPECT_EQ(compare(y, x, testing::kExact), "");
}

TEST_P(RmsNorm, Golden) {
    const testing::Golden golden("ops/norms.safetensors");
    const Tensor want = golden["rms_norm"];
    auto x = testing::converted(golden["x"], GetParam());
    auto y = testing::poisoned(GetParam(), {want.dim(0), want.dim(1)});
    ops::rms_norm(s_, y, x, testing::converted(golden["weight"], DType::f32), kEps);
    if (GetParam() == DType::bf16)
        EXPECT_LE(testing::worst_ulps(y, want), 1);
    else
        EXPECT_LE(testing::worst_of_row(y, want), 1e-6);
}

TEST_P(RmsNorm, NoRowsNoWork) {
    auto x = testing::zeros(GetParam(), {0, 16});
    ops::rms_norm(s_, x, x, testing::zeros(DType::f32, {16}), kEps);
}

TEST_P(RmsNorm, DeathSaysWhichSizeDisagrees) {
    auto x = testing::zeros(GetParam(), {2, 16});
    EXPECT_DEATH(ops::rms_norm(s_, x, x, testing::zeros(DType::f32, {24}), kEps),
                 "weight is .* D = 16 as in x");
}

INSTANTIATE_TEST_SUITE_P(DTypes, RmsNorm, ::testing::Values(DType::bf16, DType::f32));

}  // namespace
}  // namespace fathom
