#include "model/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "testing/golden.h"

namespace fathom {
namespace {

int64_t ulps_between(float a, float b) {
    int32_t x, y;
    std::memcpy(&x, &a, sizeof x);
    std::memcpy(&y, &b, sizeof y);
    return std::abs(int64_t{x} - y);
}

TEST(RopeFrequencies, AreTheReferences) {
    const testing::Golden golden("ops/rope.safetensors");
    const Tensor want = golden["inv_freq"];
    const std::vector<float> got = rope_frequencies(ModelArgs{});
    ASSERT_EQ(std::ssize(got), want.dim(0));
    for (size_t i = 0; i < got.size(); ++i)
        EXPECT_LE(ulps_between(got[i], want.as<float>()[i]), 2) << i;
}

TEST(RopeFrequencies, WithoutYarnArePowersOfTheta) {
    ModelArgs args;
    args.rope_factor = 1;
    const std::vector<float> got = rope_frequencies(args);
    for (size_t i = 0; i < got.size(); ++i)
        EXPECT_NEAR(got[i] / std::pow(10000.0, -2.0 * static_cast<double>(i) / 64), 1, 1e-6);
}

TEST(SoftmaxScale, CarriesMscaleSquared) {
    const double mscale = 0.1 * std::log(40.0) + 1;  // 1.3689
    EXPECT_NEAR(softmax_scale(ModelArgs{}), mscale * mscale / std::sqrt(192.0), 1e-8);
    ModelArgs without;
    without.rope_factor = 1;
    EXPECT_NEAR(softmax_scale(without), 1 / std::sqrt(192.0), 1e-8);
}

}  // namespace
}  // namespace fathom
