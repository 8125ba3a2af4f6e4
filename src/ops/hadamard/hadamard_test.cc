#include "ops/hadamard/hadamard.h"

#include <gtest/gtest.h>

#include <bit>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;
using testing::same_bits;

// H[i][j] = (-1)^(number of ones of i & j).
HostTensor expected(const Tensor& x) {
    const int64_t T = x.dim(0), D = x.dim(1);
    HostTensor y = testing::allocate(DType::f64, {T, D});
    for (int64_t t = 0; t < T; ++t)
        for (int64_t i = 0; i < D; ++i) {
            double sum = 0;
            for (int64_t j = 0; j < D; ++j)
                sum += std::popcount(static_cast<uint64_t>(i & j)) % 2 ? -element(x, t * D + j)
                                                                       : element(x, t * D + j);
            y.view.as<double>()[t * D + i] = sum / std::sqrt(static_cast<double>(D));
        }
    return y;
}

class Hadamard : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;

    void expect_near(const Tensor& y, const Tensor& want) {
        if (GetParam() == DType::bf16)
            EXPECT_LE(testing::worst_of_row(y, want), 4e-3) << y;
        else
            EXPECT_LE(testing::worst_of_row(y, want), 1e-6) << y;
    }
};

TEST_P(Hadamard, MatchesFormula) {
    for (const int64_t D : {1, 2, 4, 8, 16, 128, 512})
        for (const int64_t T : {1, 5}) {
            auto x = testing::normal(GetParam(), {T, D}, 1),
                 y = testing::poisoned(GetParam(), {T, D});
            ops::hadamard(s_, y, x);
            expect_near(y, expected(x));
        }
}

TEST_P(Hadamard, InPlaceOnAStridedView) {
    auto x = testing::normal(GetParam(), {100, 128 + 5}, 1);
    const auto [left, right] = x.view.split_last(128, 5);
    const auto want = expected(left);
    const auto old = testing::converted(right, GetParam());
    ops::hadamard(s_, left, left);
    expect_near(left, want);
    EXPECT_EQ(same_bits(right, old), "");
}

TEST_P(Hadamard, ARowAloneIsTheRowInABatch) {
    const int64_t T = 300, D = 128;
    auto x = testing::normal(GetParam(), {T, D}, 5);
    auto y = testing::poisoned(GetParam(), {T, D}), alone = testing::poisoned(GetParam(), {T, D});
    ops::hadamard(s_, y, x);
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; ++t)
        ops::hadamard(one, alone.view.rows(t, t + 1), x.view.rows(t, t + 1));
    EXPECT_EQ(same_bits(alone, y), "");
}

TEST_P(Hadamard, Golden) {
    const testing::Golden golden("ops/hadamard.safetensors");
    const Tensor want = golden["y"];
    auto x = testing::converted(golden["x"], GetParam());
    auto y = testing::poisoned(GetParam(), {want.dim(0), want.dim(1)});
    ops::hadamard(s_, y, x);
    if (GetParam() == DType::bf16)
        EXPECT_LE(testing::worst_ulps(y, want), 1);
    else
        EXPECT_LE(testing::worst_of_row(y, want), 1e-6);
}

TEST_P(Hadamard, NoRowsNoWork) {
    auto x = testing::zeros(GetParam(), {0, 16});
    ops::hadamard(s_, x, x);
}

TEST_P(Hadamard, DeathOfAnOddWidth) {
    auto x = testing::zeros(GetParam(), {2, 96});
    EXPECT_DEATH(ops::hadamard(s_, x, x), "D = 96 is no power of two");
}

INSTANTIATE_TEST_SUITE_P(DTypes, Hadamard, ::testing::Values(DType::bf16, DType::f32));

}  // namespace
}  // namespace fathom
