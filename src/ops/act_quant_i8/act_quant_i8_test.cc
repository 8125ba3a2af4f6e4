#include "ops/act_quant_i8/act_quant_i8.h"

#include <gtest/gtest.h>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::HostTensor;
using testing::same_bits;

class ActQuantI8 : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;
};

constexpr int64_t kWidths[] = {1, 7, 8, 33, 256, 7168};

TEST_P(ActQuantI8, Golden) {
    const testing::Golden golden("ops/gemm_i8.safetensors");
    const auto x = testing::converted(golden["x"], GetParam());
    auto codes = testing::poisoned(DType::i8, {6, 256});
    auto scales = testing::poisoned(DType::f32, {6});
    ops::act_quant_i8_dynamic(s_, codes, scales, x);
    EXPECT_EQ(same_bits(codes, golden["dynamic_codes"]), "");
    const Tensor want = view_of(golden["dynamic_scale"].data, DType::f32, {6});
    EXPECT_EQ(same_bits(scales, want), "");
    auto fixed = testing::poisoned(DType::i8, {6, 256});
    ops::act_quant_i8_static(s_, fixed, x, *golden["input_scale"].as<float>(),
                             *golden["input_offset"].as<float>());
    EXPECT_EQ(same_bits(fixed, golden["static_codes"]), "");
}

TEST_P(ActQuantI8, DynamicMatchesFormula) {
    for (const int64_t K : kWidths) {
        const auto x = testing::normal(GetParam(), {9, K}, 1, 3);
        auto codes = testing::poisoned(DType::i8, {9, K});
        auto scales = testing::poisoned(DType::f32, {9});
        ops::act_quant_i8_dynamic(s_, codes, scales, x);
        for (int64_t t = 0; t < 9; ++t) {
            double amax = 0;
            for (int64_t k = 0; k < K; ++k)
                amax = std::fmax(amax, std::fabs(testing::element(x, t * K + k)));
            const double scale = testing::element(scales, t);
            ASSERT_NEAR(scale, amax / 127, 1e-7 * amax);
            for (int64_t k = 0; k < K; ++k)
                ASSERT_NEAR(testing::element(codes, t * K + k),
                            testing::element(x, t * K + k) / scale, 0.50002);
        }
    }
}

TEST_P(ActQuantI8, StaticMatchesFormula) {  // Clamps too: 3 / 0.02 is beyond 127.
    const float scale = 0.02f, offset = -3;
    for (const int64_t K : kWidths) {
        const auto x = testing::normal(GetParam(), {9, K}, 2, 1.5f);
        auto codes = testing::poisoned(DType::i8, {9, K});
        ops::act_quant_i8_static(s_, codes, x, scale, offset);
        for (int64_t i = 0; i < 9 * K; ++i) {
            const double code = testing::element(x, i) / scale + offset;
            ASSERT_NEAR(testing::element(codes, i), std::fmax(-128, std::fmin(127, code)), 0.50002);
        }
    }
}

TEST_P(ActQuantI8, IsThePlainOneBitForBit) {
    for (const int64_t K : kWidths)
        for (const float std : {1e-20f, 1.0f, 1e10f}) {
            auto x = testing::normal(GetParam(), {5, K}, 3, std);
            for (int64_t k = 0; k < K; ++k) set(x, 2 * K + k, 0);  // A row of zeros.
            auto codes = testing::poisoned(DType::i8, {5, K}),
                 want = testing::poisoned(DType::i8, {5, K});
            auto scales = testing::poisoned(DType::f32, {5}),
                 want_scales = testing::poisoned(DType::f32, {5});
            ops::act_quant_i8_dynamic(s_, codes, scales, x);
            cpu::plain::act_quant_i8_dynamic(s_, want, want_scales, x);
            EXPECT_EQ(same_bits(codes, want), "") << K;
            EXPECT_EQ(same_bits(scales, want_scales), "") << K;
            EXPECT_EQ(testing::element(scales, 2), 0);
            ops::act_quant_i8_static(s_, codes, x, 0.013f, 5);
            cpu::plain::act_quant_i8_static(s_, want, x, 0.013f, 5);
            EXPECT_EQ(same_bits(codes, want), "") << K;
        }
}

TEST_P(ActQuantI8, TiesGoToEven) {
    auto x = testing::zeros(GetParam(), {1, 8});
    const float values[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 126.5f, 127.5f, -128.5f};
    const int want[] = {0, 2, 2, 0, -2, 126, 127, -128};
    for (int i = 0; i < 8; ++i) set(x, i, values[i]);
    auto codes = testing::poisoned(DType::i8, {1, 8});
    ops::act_quant_i8_static(s_, codes, x, 1, 0);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(codes.view.as<int8_t>()[i], want[i]) << values[i];
}

TEST_P(ActQuantI8, StridedRowsAndRowsAlone) {
    const int64_t T = 40, K = 333;
    const auto wide = testing::normal(GetParam(), {T, K + 10}, 4);
    const Tensor x = wide.view.split_last(K, 10)[0];
    auto codes = testing::poisoned(DType::i8, {T, K});
    auto scales = testing::poisoned(DType::f32, {T});
    ops::act_quant_i8_dynamic(s_, codes, scales, testing::converted(x, GetParam()));
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; ++t) {
        auto alone = testing::poisoned(DType::i8, {1, K});
        auto scale = testing::poisoned(DType::f32, {1});
        ops::act_quant_i8_dynamic(one, alone, scale, x.rows(t, t + 1));
        ASSERT_EQ(same_bits(alone, codes.view.rows(t, t + 1)), "");
        ASSERT_EQ(same_bits(scale, scales.view.rows(t, t + 1)), "");
    }
}

TEST_P(ActQuantI8, NoRowsNoWork) {
    const auto x = testing::allocate(GetParam(), {0, 16}),
               codes = testing::allocate(DType::i8, {0, 16});
    ops::act_quant_i8_dynamic(s_, codes, testing::allocate(DType::f32, {0}), x);
    ops::act_quant_i8_static(s_, codes, x, 1, 0);
}

TEST_P(ActQuantI8, DeathOfAScaleOfZero) {
    const auto x = testing::allocate(GetParam(), {1, 16}),
               codes = testing::allocate(DType::i8, {1, 16});
    EXPECT_DEATH(ops::act_quant_i8_static(s_, codes, x, 0, 0), "scale = 0");
}

INSTANTIATE_TEST_SUITE_P(DTypes, ActQuantI8, ::testing::Values(DType::bf16, DType::f32));

}  // namespace
}  // namespace fathom
