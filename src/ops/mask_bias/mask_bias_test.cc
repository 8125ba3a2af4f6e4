#include "ops/mask_bias/mask_bias.h"

#include <gtest/gtest.h>

#include <random>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;
using Ids = std::vector<Token>;
using Bias = std::vector<std::pair<Token, float>>;

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(MaskBias, BitsAllowEachIdAlone) {
    testing::CpuStream s;
    std::mt19937 rng(1);
    for (const int V : {1, 31, 32, 33, 64, 1000, 129280}) {
        std::vector<uint32_t> allowed((V + 31) / 32);
        for (size_t w = 0; w < allowed.size(); ++w)  // Words of no, all and some bits.
            allowed[w] = w % 4 == 1 ? 0 : w % 4 == 2 ? ~0u : static_cast<uint32_t>(rng());
        const HostTensor before = testing::normal(DType::f32, {V}, 2);
        const HostTensor logits = testing::normal(DType::f32, {V}, 2);
        ops::mask_bias(s, logits, allowed, {}, {});
        for (int i = 0; i < V; ++i)
            ASSERT_EQ(element(logits, i),
                      allowed[i / 32] >> i % 32 & 1 ? element(before, i) : -kInf)
                << i << " of " << V;
    }
}

TEST(MaskBias, MasksThenBias) {
    testing::CpuStream s;
    const HostTensor logits = testing::zeros(DType::f32, {6});
    const uint32_t allowed[] = {0b111110};
    ops::mask_bias(s, logits, allowed, Ids{2},
                   Bias{{0, 100}, {2, 100}, {3, 1.5f}, {4, -2}, {4, -2}});
    const float want[] = {-kInf, 0, -kInf, 1.5f, -4, 0};
    for (int i = 0; i < 6; ++i) EXPECT_EQ(element(logits, i), want[i]) << i;
}

TEST(MaskBias, NothingChangesNothing) {
    testing::CpuStream s;
    const auto logits = testing::normal(DType::f32, {100}, 1);
    ops::mask_bias(s, logits, {}, {}, {});
    EXPECT_EQ(testing::same_bits(logits, testing::normal(DType::f32, {100}, 1)), "");
}

TEST(MaskBias, WhatIsBehindTheRowStays) {
    testing::CpuStream s;
    const HostTensor wide = testing::zeros(DType::f32, {40});
    const uint32_t none[] = {0, 0};
    ops::mask_bias(s, view_of(wide.view.data, DType::f32, {35}), none, {}, {});
    EXPECT_EQ(element(wide, 34), -kInf);
    EXPECT_EQ(element(wide, 35), 0);
}

TEST(MaskBiasDeath, OfAnIdBeyondTheVocabulary) {
    testing::CpuStream s(1);
    const HostTensor logits = testing::zeros(DType::f32, {2});
    const uint32_t two[] = {0, 0};
    EXPECT_DEATH(ops::mask_bias(s, logits, {}, Ids{2}, {}), "masked 2 of 2");
    EXPECT_DEATH(ops::mask_bias(s, logits, {}, {}, Bias{{-1, 1}}), "bias 1 of -1 of 2");
    EXPECT_DEATH(ops::mask_bias(s, logits, {}, {}, Bias{{0, kInf}}), "bias inf of 0");
    EXPECT_DEATH(ops::mask_bias(s, logits, two, {}, {}), "2 words for 2 logits");
}

}  // namespace
}  // namespace fathom
