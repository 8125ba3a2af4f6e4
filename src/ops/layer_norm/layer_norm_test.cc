#include "ops/layer_norm/layer_norm.h"

#include <gtest/gtest.h>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;
using testing::same_bits;

constexpr float kEps = 1e-6f;

HostTensor expected(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
    const int64_t T = x.dim(0), D = x.dim(1);
    HostTensor y = testing::allocate(DType::f64, {T, D});
    for (int64_t t = 0; t < T; ++t) {
        double sum = 0, squares = 0;
        for (int64_t d = 0; d < D; ++d) sum += element(x, t * D + d);
        for (int64_t d = 0; d < D; ++d) squares += std::pow(element(x, t * D + d) - sum / D, 2);
        for (int64_t d = 0; d < D; ++d)
            y.view.as<double>()[t * D + d] = (element(x, t * D + d) - sum / D) /
                                                 std::sqrt(squares / D + eps) * element(weight, d) +
                                             element(bias, d);
    }
    return y;
}

class LayerNorm : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;
};

TEST_P(LayerNorm, MatchesFormula) {
    for (const int64_t D : {7, 8, 33, 60, 128, 7168})
        for (const int64_t T : {1, 3, 200}) {
            auto x = testing::normal(GetParam(), {T, D}, 1);
            for (int64_t i = 0; i < T * D; ++i)  // Far from zero: the mean matters.
                testing::set(x, i, static_cast<float>(element(x, i)) + 2);
            auto w = testing::normal(DType::f32, {D}, 2), b = testing::normal(DType::f32, {D}, 3);
            auto y = testing::poisoned(GetParam(), {T, D});
            ops::layer_norm(s_, y, x, w, b, kEps);
            const auto tolerance = testing::tolerance_of(GetParam());
            EXPECT_EQ(compare(y, expected(x, w, b, kEps), tolerance), "") << T << " x " << D;
        }
}

TEST_P(LayerNorm, IsThePlainOneBitForBit) {
    for (const int64_t D : {2, 7, 33, 60, 128, 7168}) {
        auto x = testing::normal(GetParam(), {5, D}, 3), w = testing::normal(DType::f32, {D}, 4);
        auto b = testing::normal(DType::f32, {D}, 5);
        auto y = testing::poisoned(GetParam(), {5, D}),
             want = testing::poisoned(GetParam(), {5, D});
        ops::layer_norm(s_, y, x, w, b, kEps);
        cpu::plain::layer_norm(s_, want, x, w, b, kEps);
        EXPECT_EQ(same_bits(y, want), "") << D;
    }
}

TEST_P(LayerNorm, InPlaceOnAStridedView) {
    const int64_t T = 21, D = 100;
    auto x = testing::normal(GetParam(), {T, D + 9}, 1);
    auto w = testing::normal(DType::f32, {D}, 3), b = testing::normal(DType::f32, {D}, 4);
    const auto [left, right] = x.view.split_last(D, 9);
    const auto want = expected(left, w, b, kEps);
    const auto old = testing::converted(right, GetParam());
    ops::layer_norm(s_, left, left, w, b, kEps);
    EXPECT_EQ(compare(left, want, testing::tolerance_of(GetParam())), "");
    EXPECT_EQ(same_bits(right, old), "");
}

TEST_P(LayerNorm, ARowAloneIsTheRowInABatch) {
    const int64_t T = 300, D = 128;
    auto x = testing::normal(GetParam(), {T, D}, 5);
    auto w = testing::normal(DType::f32, {D}, 6), b = testing::normal(DType::f32, {D}, 7);
    auto y = testing::poisoned(GetParam(), {T, D}), alone = testing::poisoned(GetParam(), {T, D});
    ops::layer_norm(s_, y, x, w, b, kEps);
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; ++t)
        ops::layer_norm(one, alone.view.rows(t, t + 1), x.view.rows(t, t + 1), w, b, kEps);
    EXPECT_EQ(same_bits(alone, y), "");
}

TEST_P(LayerNorm, AConstantRowGivesTheBias) {  // Without eps it would be 0 * inf.
    auto x = testing::allocate(GetParam(), {1, 64});
    for (int i = 0; i < 64; ++i) testing::set(x, i, 3);
    auto b = testing::converted(testing::normal(GetParam(), {64}, 2), DType::f32);
    auto y = testing::poisoned(GetParam(), {1, 64});
    ops::layer_norm(s_, y, x, testing::normal(DType::f32, {64}, 2), b, kEps);
    b.view.rank = 2;
    b.view.shape = {1, 64};
    b.view.stride = {64, 1};
    EXPECT_EQ(compare(y, b, testing::kExact), "");
}

TEST_P(LayerNorm, Golden) {
    const testing::Golden golden("ops/norms.safetensors");
    const Tensor want = golden["layer_norm"];
    auto x = testing::converted(golden["x"], GetParam());
    auto y = testing::poisoned(GetParam(), {want.dim(0), want.dim(1)});
    ops::layer_norm(s_, y, x, testing::converted(golden["weight"], DType::f32),
                    testing::converted(golden["bias"], DType::f32), kEps);
    if (GetParam() == DType::bf16)
        EXPECT_LE(testing::worst_ulps(y, want), 1);
    else
        EXPECT_LE(testing::worst_of_row(y, want), 1e-6);
}

TEST_P(LayerNorm, NoRowsNoWork) {
    auto x = testing::zeros(GetParam(), {0, 16}), w = testing::zeros(DType::f32, {16});
    ops::layer_norm(s_, x, x, w, w, kEps);
}

INSTANTIATE_TEST_SUITE_P(DTypes, LayerNorm, ::testing::Values(DType::bf16, DType::f32));

}  // namespace
}  // namespace fathom
