#include "ops/moe_combine/moe_combine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "ops/moe_permute/moe_permute.h"
#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;
using testing::same_bits;

struct Types {
    DType rows, y;
};

// T tokens with K experts each; the pairs in some order that is stable by expert.
struct Case {
    HostTensor rows, pairs, weights, shared;

    Case(DType dtype, int64_t T, int64_t K, int64_t D, uint32_t seed)
        : rows(testing::normal(dtype, {T * K, D}, seed)),
          pairs(testing::allocate(DType::i32, {T * K})),
          weights(testing::normal(DType::f32, {T, K}, seed + 1)),
          shared(testing::normal(dtype, {T, D}, seed + 2)) {
        const int E = 2 * static_cast<int>(K);
        HostTensor experts = testing::allocate(DType::i32, {T, K});
        HostTensor offsets = testing::allocate(DType::i32, {E + 1});
        std::mt19937 rng(seed);
        for (int64_t i = 0; i < T; ++i) {  // Distinct within a token.
            std::vector<int> ids(E);
            for (int e = 0; e < E; ++e) ids[e] = e;
            std::shuffle(ids.begin(), ids.end(), rng);
            std::copy_n(ids.begin(), K, experts.view.as<int32_t>() + i * K);
        }
        testing::CpuStream s(1);
        HostTensor junk = testing::allocate(dtype, {T * K, 1}), x = testing::zeros(dtype, {T, 1});
        ops::moe_permute(s, junk, pairs, offsets, x, experts);
    }
};

class MoeCombine : public ::testing::TestWithParam<Types> {
protected:
    testing::CpuStream s_;
};

TEST_P(MoeCombine, MatchesFormula) {
    const auto [in, out] = GetParam();
    for (const int64_t T : {1, 3, 50})
        for (const int64_t D : {30, 256, 7168}) {
            const int64_t K = 4;
            Case c(in, T, K, D, 3);
            HostTensor want = testing::allocate(DType::f64, {T, D});
            for (int64_t i = 0; i < T * D; ++i) want.view.as<double>()[i] = element(c.shared, i);
            for (int64_t r = 0; r < T * K; ++r) {
                const auto pair = static_cast<int64_t>(element(c.pairs, r));
                for (int64_t d = 0; d < D; ++d)
                    want.view.as<double>()[pair / K * D + d] +=
                        element(c.weights, pair) * element(c.rows, r * D + d);
            }
            auto y = testing::poisoned(out, {T, D});
            ops::moe_combine(s_, y, c.rows, c.pairs, c.weights, c.shared);
            EXPECT_EQ(compare(y, want, testing::tolerance_of(out)), "") << T << " x " << D;
        }
}

TEST_P(MoeCombine, StridedOutput) {
    const auto [in, out] = GetParam();
    Case c(in, 9, 2, 33, 5);
    auto y = testing::poisoned(out, {9, 33 + 4}), want = testing::poisoned(out, {9, 33});
    const auto [left, right] = y.view.split_last(33, 4);
    ops::moe_combine(s_, left, c.rows, c.pairs, c.weights, c.shared);
    ops::moe_combine(s_, want, c.rows, c.pairs, c.weights, c.shared);
    EXPECT_EQ(same_bits(left, want), "");
    for (int i = 0; i < 36; ++i) ASSERT_TRUE(std::isnan(element(right, i)));
}

// 2^24 + 1 + 1 depends on the order in f32: experts ascending, the shared part last.
TEST(MoeCombineOrder, ExpertsAscendThenShared) {
    testing::CpuStream s;
    auto rows = testing::allocate(DType::f32, {3, 1}), pairs = testing::allocate(DType::i32, {3});
    auto weights = testing::allocate(DType::f32, {1, 3});
    auto shared = testing::allocate(DType::f32, {1, 1}), y = testing::poisoned(DType::f32, {1, 1});
    const auto combine = [&](std::array<float, 3> values, float last) {
        for (int i = 0; i < 3; ++i) {
            rows.view.as<float>()[i] = values[i];
            pairs.view.as<int32_t>()[i] = 2 - i;  // The choices lie the other way round.
            weights.view.as<float>()[i] = 1;
        }
        *shared.view.as<float>() = last;
        ops::moe_combine(s, y, rows, pairs, weights, shared);
        return *y.view.as<float>();
    };
    EXPECT_EQ(combine({1, 1, 0x1p24f}, 0), 0x1p24f + 2);
    EXPECT_EQ(combine({0x1p24f, 1, 1}, 0), 0x1p24f);
    EXPECT_EQ(combine({1, 1, 0}, 0x1p24f), 0x1p24f + 2);
    EXPECT_EQ(combine({0x1p24f, 0, 0}, 2), 0x1p24f + 2);
    EXPECT_EQ(combine({0x1p24f, 0, 1}, 1), 0x1p24f);
}

TEST_P(MoeCombine, ATokenAloneIsTheTokenInABatch) {
    const auto [in, out] = GetParam();
    const int64_t T = 40, K = 8, D = 512;
    Case c(in, T, K, D, 11);
    auto y = testing::poisoned(out, {T, D});
    ops::moe_combine(s_, y, c.rows, c.pairs, c.weights, c.shared);
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; ++t) {
        auto rows = testing::allocate(in, {K, D});
        auto pairs = testing::allocate(DType::i32, {K});
        int64_t found = 0;
        for (int64_t r = 0; r < T * K; ++r) {
            const int32_t pair = c.pairs.view.as<int32_t>()[r];
            if (pair / K != t) continue;
            pairs.view.as<int32_t>()[found] = pair % static_cast<int32_t>(K);
            std::memcpy(rows.view.rows(found, found + 1).data, c.rows.view.rows(r, r + 1).data,
                        D * size_of(in));
            ++found;
        }
        auto alone = testing::poisoned(out, {1, D});
        ops::moe_combine(one, alone, rows, pairs, c.weights.view.rows(t, t + 1),
                         c.shared.view.rows(t, t + 1));
        ASSERT_EQ(same_bits(alone, y.view.rows(t, t + 1)), "") << t;
    }
}

TEST_P(MoeCombine, InPlaceAndNothingLeftInTheArena) {
    const auto [in, out] = GetParam();
    if (in != out) return;
    Case c(in, 9, 2, 33, 5);
    auto want = testing::poisoned(out, {9, 33});
    ops::moe_combine(s_, want, c.rows, c.pairs, c.weights, c.shared);
    ops::moe_combine(s_, c.shared, c.rows, c.pairs, c.weights, c.shared);
    EXPECT_EQ(same_bits(c.shared, want), "");
    EXPECT_EQ(s_.arena.mark(), 0);
}

TEST_P(MoeCombine, NoTokensNoWork) {
    const auto [in, out] = GetParam();
    ops::moe_combine(s_, testing::zeros(out, {0, 8}), testing::zeros(in, {0, 8}),
                     testing::zeros(DType::i32, {0}), testing::zeros(DType::f32, {0, 2}),
                     testing::zeros(in, {0, 8}));
}

INSTANTIATE_TEST_SUITE_P(DTypes, MoeCombine,
                         ::testing::Values(Types{DType::bf16, DType::bf16},
                                           Types{DType::bf16, DType::f32},
                                           Types{DType::f32, DType::bf16},
                                           Types{DType::f32, DType::f32}));

}  // namespace
}  // namespace fathom
