#include "ops/act_quant/act_quant.h"

#include <gtest/gtest.h>

#include "ops/act_quant/act_quant_row.h"
#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::HostTensor;
using testing::same_bits;

struct Quantized {
    Quantized(int64_t T, int64_t K)
        : codes(testing::poisoned(DType::f8e4m3, {T, K})),
          scales(testing::poisoned(DType::f32, {T, K / 128})) {}
    HostTensor codes, scales;
};

Quantized run(Stream& s, const Tensor& x, ScaleFormat format) {
    Quantized q(x.dim(0), x.dim(1));
    ops::act_quant(s, q.codes, q.scales, x, format);
    return q;
}

class ActQuant : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;
};

TEST_P(ActQuant, Golden) {
    const testing::Golden golden("ops/act_quant.safetensors");
    for (const std::string suffix : {"", "_wide"}) {
        const auto x = testing::converted(golden["x" + suffix], GetParam());
        const Quantized q = run(s_, x, ScaleFormat::ue8m0);
        EXPECT_EQ(same_bits(q.codes, golden["codes" + suffix]), "") << suffix;
        EXPECT_EQ(same_bits(q.scales, golden["scale" + suffix]), "") << suffix;
    }
}

TEST_P(ActQuant, MatchesFormula) {
    for (const auto format : {ScaleFormat::ue8m0, ScaleFormat::plain}) {
        const auto x = testing::normal(GetParam(), {33, 384}, 1, 20);
        const Quantized q = run(s_, x, format);
        for (int64_t t = 0; t < 33; ++t)
            for (int64_t k = 0; k < 384; ++k) {
                double amax = 1e-4;
                for (int64_t i = k / 128 * 128; i < k / 128 * 128 + 128; ++i)
                    amax = std::fmax(amax, std::fabs(testing::element(x, t * 384 + i)));
                const double scale = testing::element(q.scales, t * 3 + k / 128);
                const double value = testing::element(x, t * 384 + k);
                const double code = testing::element(q.codes, t * 384 + k);
                if (format == ScaleFormat::plain)
                    ASSERT_NEAR(scale, amax / 448, 2e-7 * scale);
                else
                    ASSERT_EQ(scale, std::exp2(std::ceil(std::log2(amax / 448))));
                // Half a step of a code: 1/16 of its power of two, 2^-10 below 2^-6.
                const double step = std::fmax(std::fabs(code), std::exp2(-6)) / 16;
                ASSERT_NEAR(code, value / scale, step * 1.000001) << t << ", " << k;
            }
    }
}

TEST_P(ActQuant, IsThePlainOneBitForBit) {
    for (const auto format : {ScaleFormat::ue8m0, ScaleFormat::plain})
        for (const float std : {1e-7f, 1e-3f, 1.0f, 3e4f, 1e30f})
            for (const int64_t K : {128, 640, 7168}) {
                const auto x = testing::normal(GetParam(), {5, K}, 2, std);
                const Quantized q = run(s_, x, format);
                Quantized want(5, K);
                cpu::plain::act_quant(s_, want.codes, want.scales, x, format);
                EXPECT_EQ(same_bits(q.codes, want.codes), "") << std << " x " << K;
                EXPECT_EQ(same_bits(q.scales, want.scales), "") << std << " x " << K;
            }
}

TEST_P(ActQuant, ARowAloneIsTheRowInABatchAndStridedOnesAreTheSame) {
    const int64_t T = 40, K = 512;
    const auto wide = testing::normal(GetParam(), {T, K + 24}, 3);
    const Tensor x = wide.view.split_last(K, 24)[0];
    const Quantized all = run(s_, testing::converted(x, GetParam()), ScaleFormat::ue8m0);
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; ++t) {
        const Quantized alone = run(one, x.rows(t, t + 1), ScaleFormat::ue8m0);
        ASSERT_EQ(same_bits(alone.codes, all.codes.view.rows(t, t + 1)), "");
        ASSERT_EQ(same_bits(alone.scales, all.scales.view.rows(t, t + 1)), "");
    }
}

TEST_P(ActQuant, NoRowsNoWork) { run(s_, testing::allocate(GetParam(), {0, 128}), {}); }

TEST_P(ActQuant, DeathOfAGroupThatIsNotFull) {
    const auto x = testing::zeros(GetParam(), {1, 200});
    EXPECT_DEATH(run(s_, x, ScaleFormat::ue8m0), "groups of 128, K = 200");
}

INSTANTIATE_TEST_SUITE_P(DTypes, ActQuant, ::testing::Values(DType::bf16, DType::f32));

// Every code from the values that are hardest to round.
TEST(E4m3, Golden) {
    const testing::Golden golden("ops/e4m3.safetensors");
    const Tensor values = golden["values"], codes = golden["codes"], decode = golden["decode"];
    for (int64_t i = 0; i < values.dim(0); ++i) {
        const float v = values.as<float>()[i];
        const E4m3Rounding rounding(_mm256_set1_ps(v));
        EXPECT_EQ(_mm256_extract_epi32(rounding.code(), 3), codes.as<uint8_t>()[i]) << v;
        EXPECT_EQ(to_f8e4m3(v).bits, codes.as<uint8_t>()[i]) << v;
        const float value = _mm256_cvtss_f32(rounding.value());
        const float want = to_float(f8e4m3{codes.as<uint8_t>()[i]});
        EXPECT_TRUE(std::isnan(want) ? std::isnan(value) : value == want) << v;
        EXPECT_EQ(std::signbit(value), std::signbit(want)) << v;
    }
    for (int code = 0; code < 256; ++code) {
        const float got = to_float(f8e4m3{static_cast<uint8_t>(code)});
        const float want = decode.as<float>()[code];
        EXPECT_TRUE(std::isnan(want) ? std::isnan(got) : got == want) << code;
    }
}

}  // namespace
}  // namespace fathom
