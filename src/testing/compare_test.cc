// The comparer is the judge of every kernel, so it is tested on what it must refuse.
#include "testing/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

namespace fathom::testing {
namespace {

constexpr int64_t kRows = 64, kCols = 128;

std::string compare_after(const std::function<void(std::vector<float>&)>& damage) {
    std::vector<float> want(kRows * kCols), got;
    for (size_t i = 0; i < want.size(); ++i)
        want[i] = std::sin(0.37f * static_cast<float>(i)) - 0.2f;
    got = want;
    damage(got);
    return compare(view_of(got.data(), DType::f32, {kRows, kCols}),
                   view_of(want.data(), DType::f32, {kRows, kCols}), kBf16);
}

TEST(Compare, AcceptsEqual) {
    EXPECT_EQ(compare_after([](auto&) {}), "");
}

TEST(Compare, AcceptsRounding) {
    EXPECT_EQ(compare_after([](auto& v) {
                  for (float& f : v) f = to_float(to_bf16(f));
              }),
              "");
}

// One test per criterion, each just above its own limit and below the other two.
TEST(Compare, RefusesOneElementOffByTwoPercent) {
    EXPECT_NE(compare_after([](auto& v) { v[7] += 0.014f; }), "");  // rms(want) is 0.73.
}

TEST(Compare, RefusesOneRowOffByHalfAPercent) {
    EXPECT_NE(compare_after([](auto& v) {
                  for (int i = 0; i < kCols; ++i) v[i] *= i % 2 ? 1.006f : 0.994f;
              }),
              "");
}

TEST(Compare, RefusesEverythingOffByTwoPerMille) {
    EXPECT_NE(compare_after([](auto& v) {
                  for (float& f : v) f *= 1.002f;
              }),
              "");
}

// What the comparers of well-known projects let pass.
TEST(Compare, RefusesNaN) {
    EXPECT_NE(compare_after([](auto& v) { v[7] = std::nanf(""); }), "");
}

TEST(Compare, RefusesOneBadElementAmongNegatives) {
    EXPECT_NE(compare_after([](auto& v) {
                  *std::find_if(v.begin(), v.end(), [](float f) { return f < -1; }) = -0.2f;
              }),
              "");
}

TEST(Compare, RefusesOneZeroedRow) {
    EXPECT_NE(compare_after([](auto& v) { std::fill_n(v.begin() + 5 * kCols, kCols, 0.0f); }), "");
}

TEST(Compare, InfinityMatchesOnlyItself) {
    const float inf = std::numeric_limits<float>::infinity();
    std::vector<float> want{inf, 1}, minus{-inf, 1}, finite{3e38f, 1};
    const auto t = [](std::vector<float>& v) { return view_of(v.data(), DType::f32, {1, 2}); };
    EXPECT_EQ(compare(t(want), t(want), kBf16), "");
    EXPECT_NE(compare(t(minus), t(want), kBf16), "");
    EXPECT_NE(compare(t(finite), t(want), kBf16), "");
}

TEST(Compare, NaNNeverAgreesNotEvenWithItself) {
    std::vector<float> v{std::nanf(""), 1};
    const Tensor t = view_of(v.data(), DType::f32, {1, 2});
    EXPECT_NE(compare(t, t, kBf16), "");
}

TEST(Compare, RefusesAnEmptyComparison) {
    float f = 0;
    EXPECT_NE(compare(view_of(&f, DType::f32, {0, 4}), view_of(&f, DType::f32, {0, 4}), kBf16), "");
}

TEST(Compare, ReadsStridedTensorsOfAnyRank) {
    std::vector<float> v(2 * 3 * 8);
    for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i);
    const Tensor t = view_of(v.data(), DType::f32, {2, 3, 8});
    const Tensor right = t.split_last(6, 2)[1];
    EXPECT_EQ(element(right, 3), 15);
    EXPECT_EQ(compare(right, right, kExact), "");
    std::vector<float> w = v;
    w[8 + 7] += 1;
    const Tensor other = view_of(w.data(), DType::f32, {2, 3, 8}).split_last(6, 2)[1];
    EXPECT_EQ(compare(other, right, kExact).substr(0, 9), "[0, 1, 1]");
}

}  // namespace
}  // namespace fathom::testing
