#include "ops/silu_mul/silu_mul.h"

#include <gtest/gtest.h>

#include "ops/op_testing.h"
#include "ops/vec8.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;
using testing::same_bits;

HostTensor expected(const Tensor& gate, const Tensor& up) {
    HostTensor y = testing::allocate(DType::f64, {gate.dim(0), gate.dim(1)});
    for (int64_t i = 0; i < testing::count_of(gate); ++i)
        y.view.as<double>()[i] =
            element(gate, i) * element(up, i) / (1 + std::exp(-element(gate, i)));
    return y;
}

class SiluMul : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;
};

TEST_P(SiluMul, MatchesFormulaAndThePlainOne) {
    for (const int64_t D : {1, 7, 60, 128, 2048, 18432})
        for (const int64_t T : {1, 3, 17}) {
            auto gate = testing::normal(GetParam(), {T, D}, 1, 4);
            auto up = testing::normal(GetParam(), {T, D}, 2);
            auto y = testing::poisoned(GetParam(), {T, D}),
                 plain = testing::poisoned(GetParam(), {T, D});
            const auto want = expected(gate, up);
            ops::silu_mul(s_, y, gate, up);
            EXPECT_EQ(compare(y, want, testing::tolerance_of(GetParam())), "") << T << " x " << D;
            cpu::plain::silu_mul(s_, plain, gate, up);
            EXPECT_EQ(compare(plain, want, testing::tolerance_of(GetParam())), "") << "plain";
            if (GetParam() == DType::bf16) {
                EXPECT_LE(testing::worst_ulps(y, plain), 1);
            }
        }
}

TEST_P(SiluMul, LargeAndSmallGates) {
    const float gates[] = {0, -0.0f, 1e-30f, -1e-30f, 87, -87, 100, -100, 1e30f, -1e30f};
    auto gate = testing::allocate(GetParam(), {1, 10}), up = testing::allocate(GetParam(), {1, 10});
    for (int i = 0; i < 10; ++i) {
        testing::set(gate, i, gates[i]);
        testing::set(up, i, 2);
    }
    auto y = testing::poisoned(GetParam(), {1, 10});
    ops::silu_mul(s_, y, gate, up);
    const auto want = expected(gate, up);
    for (int i = 0; i < 10; ++i)
        EXPECT_NEAR(element(y, i), element(want, i), 1e-6 + 8e-3 * std::fabs(element(want, i)))
            << gates[i];
}

TEST_P(SiluMul, HalvesOfOneTensorInPlace) {  // As after a fused gate-up product.
    const int64_t T = 21, D = 100;
    auto both = testing::normal(GetParam(), {T, 2 * D}, 1);
    const auto [gate, up] = both.view.split_last(D, D);
    const auto want =
        expected(testing::converted(gate, GetParam()), testing::converted(up, GetParam()));
    const auto old = testing::converted(up, GetParam());
    ops::silu_mul(s_, gate, gate, up);
    EXPECT_EQ(compare(gate, want, testing::tolerance_of(GetParam())), "");
    EXPECT_EQ(same_bits(up, old), "");
}

TEST_P(SiluMul, ARowAloneIsTheRowInABatch) {
    const int64_t T = 40, D = 2047;
    auto gate = testing::normal(GetParam(), {T, D}, 5), up = testing::normal(GetParam(), {T, D}, 6);
    auto y = testing::poisoned(GetParam(), {T, D}), alone = testing::poisoned(GetParam(), {T, D});
    ops::silu_mul(s_, y, gate, up);
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; ++t)
        ops::silu_mul(one, alone.view.rows(t, t + 1), gate.view.rows(t, t + 1),
                      up.view.rows(t, t + 1));
    EXPECT_EQ(same_bits(alone, y), "");
}

TEST_P(SiluMul, Golden) {
    const testing::Golden golden("ops/norms.safetensors");
    const Tensor want = golden["silu_mul"];
    auto y = testing::poisoned(GetParam(), {want.dim(0), want.dim(1)});
    ops::silu_mul(s_, y, testing::converted(golden["x"], GetParam()),
                  testing::converted(golden["residual"], GetParam()));
    if (GetParam() == DType::bf16)
        EXPECT_LE(testing::worst_ulps(y, want), 1);
    else
        EXPECT_LE(testing::worst_of_row(y, want), 1e-6);
}

TEST_P(SiluMul, NoRowsNoWork) {
    auto x = testing::zeros(GetParam(), {0, 16});
    ops::silu_mul(s_, x, x, x);
}

INSTANTIATE_TEST_SUITE_P(DTypes, SiluMul, ::testing::Values(DType::bf16, DType::f32));

// What the vectors are made of.
TEST(Vec8, ExpIsWithinTwoUlps) {
    double worst = 0;
    for (float x = -87.3f; x < 88.7f; x += 0.0037f) {
        float y[8];
        vec8::store(y, vec8::exp(_mm256_set1_ps(x)));
        const double want = std::exp(static_cast<double>(x));
        const double ulp = std::ldexp(1.0, std::ilogb(want) - 23);
        worst = std::max(worst, std::fabs(y[3] - want) / ulp);
    }
    EXPECT_LT(worst, 1.5);
}

TEST(Vec8, ExpBeyondTheNormalNumbers) {
    const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
    const float x[8] = {0, -95, -104, -inf, 89, inf, nan, -88};
    float y[8];
    vec8::store(y, vec8::exp(vec8::load(x)));
    EXPECT_EQ(y[0], 1);
    EXPECT_NEAR(y[1], std::exp(-95.0), 2e-45);
    EXPECT_NEAR(y[2], 0, 2e-45);
    EXPECT_EQ(y[3], 0);
    EXPECT_EQ(y[4], inf);
    EXPECT_EQ(y[5], inf);
    EXPECT_TRUE(std::isnan(y[6]));
    EXPECT_NEAR(y[7] / std::exp(-88.0), 1, 1e-5);
}

TEST(Vec8, StoreRoundsAsToBf16) {
    for (uint32_t high = 0; high < 0x10000; ++high)
        for (const uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
            const uint32_t bits = high << 16 | low;
            float v;
            std::memcpy(&v, &bits, sizeof v);
            bf16 out[8];
            vec8::store(out, _mm256_set1_ps(v));
            ASSERT_EQ(out[high % 8].bits, to_bf16(v).bits) << std::hex << bits;
        }
}

TEST(Vec8, PartialLoadsAndStoresStayInside) {
    const float in[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int64_t n = 1; n <= 8; ++n) {
        float out[9] = {9, 9, 9, 9, 9, 9, 9, 9, 9}, all[8], mask[8];
        vec8::store(out, vec8::load(in, n), n);
        vec8::store(all, vec8::load(in, n));
        vec8::store(mask, _mm256_and_ps(vec8::first(n), vec8::load(in)));
        for (int i = 0; i < 8; ++i) {
            EXPECT_EQ(out[i], i < n ? in[i] : 9);
            EXPECT_EQ(all[i], i < n ? in[i] : 0);
            EXPECT_EQ(mask[i], i < n ? in[i] : 0);
        }
    }
}

}  // namespace
}  // namespace fathom
