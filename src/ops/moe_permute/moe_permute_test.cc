#include "ops/moe_permute/moe_permute.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;

HostTensor random_experts(int64_t T, int64_t K, int E, uint32_t seed) {
    HostTensor t = testing::allocate(DType::i32, {T, K});
    std::mt19937 rng(seed);
    std::vector<int> all(E);
    std::iota(all.begin(), all.end(), 0);
    for (int64_t i = 0; i < T; ++i) {
        std::shuffle(all.begin(), all.end(), rng);
        std::copy_n(all.begin(), K, t.view.as<int32_t>() + i * K);
    }
    return t;
}

class MoePermute : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;
};

TEST_P(MoePermute, IsAStableSort) {
    for (const int64_t T : {1, 3, 130}) {
        const int64_t K = 4, D = 37;
        const int E = 16;
        auto wide = testing::normal(GetParam(), {T, D + 2}, 1);
        const Tensor x = wide.view.split_last(D, 2)[0];
        const auto experts = random_experts(T, K, E, 7);
        auto rows = testing::poisoned(GetParam(), {T * K, D + 3});
        const auto [left, right] = rows.view.split_last(D, 3);
        auto pairs = testing::poisoned(DType::i32, {T * K});
        auto offsets = testing::poisoned(DType::i32, {E + 1});
        ops::moe_permute(s_, left, pairs, offsets, x, experts);

        std::vector<int> want(T * K);
        std::iota(want.begin(), want.end(), 0);
        const auto expert = [&](int pair) { return experts.view.as<int32_t>()[pair]; };
        std::stable_sort(want.begin(), want.end(),
                         [&](int a, int b) { return expert(a) < expert(b); });
        for (int64_t r = 0; r < T * K; ++r) {
            ASSERT_EQ(element(pairs, r), want[r]);
            for (int64_t d = 0; d < D; ++d)
                ASSERT_EQ(element(left, r * D + d), element(x, want[r] / K * D + d));
        }
        for (int e = 0; e <= E; ++e)
            EXPECT_EQ(element(offsets, e), std::count_if(want.begin(), want.end(), [&](int pair) {
                          return expert(pair) < e;
                      }));
        for (int64_t i = 0; i < 3 * T * K; ++i) ASSERT_TRUE(std::isnan(element(right, i)));
    }
}

TEST_P(MoePermute, NoTokensLeaveEmptyExperts) {
    auto offsets = testing::poisoned(DType::i32, {5});
    ops::moe_permute(s_, testing::zeros(GetParam(), {0, 8}), testing::zeros(DType::i32, {0}),
                     offsets, testing::zeros(GetParam(), {0, 8}),
                     testing::zeros(DType::i32, {0, 2}));
    for (int e = 0; e < 5; ++e) EXPECT_EQ(element(offsets, e), 0);
}

TEST_P(MoePermute, DeathOfAnExpertThatIsNone) {
    auto experts = testing::allocate(DType::i32, {1, 1});
    const auto call = [&] {
        ops::moe_permute(s_, testing::zeros(GetParam(), {1, 8}), testing::zeros(DType::i32, {1}),
                         testing::zeros(DType::i32, {5}), testing::zeros(GetParam(), {1, 8}),
                         experts);
    };
    for (const int id : {-1, 4}) {
        *experts.view.as<int32_t>() = id;
        EXPECT_DEATH(call(), "of 4, token 0");
    }
}

INSTANTIATE_TEST_SUITE_P(DTypes, MoePermute, ::testing::Values(DType::bf16, DType::f32));

}  // namespace
}  // namespace fathom
