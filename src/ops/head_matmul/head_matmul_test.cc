#include "ops/head_matmul/head_matmul.h"

#include <gtest/gtest.h>

#include "ops/linear/linear_testing.h"

namespace fathom {
namespace {

using testing::HostTensor;
using testing::same_bits;

struct Heads {
    Heads(int64_t H, int64_t N, int64_t K) {
        for (int64_t h = 0; h < H; ++h)
            owners.push_back(testing::random_linear(Linear::Kind::bf16, N, K, 10 + h));
        for (const auto& owner : owners) linears.push_back(owner.linear);
    }
    std::vector<testing::LinearOwner> owners;
    std::vector<Linear> linears;
};

class HeadMatmul : public ::testing::TestWithParam<DType> {
protected:
    testing::CpuStream s_;
};

// T, H, N, K: both halves of kv_b, and sizes that fill nothing.
constexpr int64_t kSizes[][4] = {{1, 128, 512, 128}, {1, 128, 128, 512}, {5, 4, 512, 128},
                                 {70, 3, 128, 512},  {2, 2, 19, 33},     {500, 2, 16, 8}};

TEST_P(HeadMatmul, MatchesFormula) {
    for (const auto& [T, H, N, K] : kSizes) {
        const Heads heads(H, N, K);
        const auto x = testing::normal(GetParam(), {T, H, K}, 1);
        auto y = testing::poisoned(DType::f32, {T, H, N});
        ops::head_matmul(s_, y, x, heads.linears);
        double worst = 0;
        for (int64_t t = 0; t < T; t += 1 + T / 7)
            for (int64_t h = 0; h < H; h += 1 + H / 5)
                for (int64_t n = 0; n < N; ++n) {
                    double sum = 0, magnitude = 0;
                    for (int64_t k = 0; k < K; ++k) {
                        const double term = testing::element(x, (t * H + h) * K + k) *
                                            testing::element(heads.owners[h].weight, n * K + k);
                        sum += term;
                        magnitude += std::fabs(term);
                    }
                    const double error = testing::element(y, (t * H + h) * N + n) - sum;
                    worst = std::fabs(error) / magnitude <= worst ? worst
                                                                  : std::fabs(error) / magnitude;
                }
        EXPECT_LE(worst, 4e-7) << T << " x " << H << " x " << N << " x " << K;
    }
}

TEST_P(HeadMatmul, ATokenAloneIsTheTokenInABatch) {
    const int64_t T = 450, H = 3, N = 128, K = 192;
    const Heads heads(H, N, K);
    const auto x = testing::normal(GetParam(), {T, H, K}, 2);
    auto y = testing::poisoned(GetParam(), {T, H, N});
    ops::head_matmul(s_, y, x, heads.linears);
    testing::CpuStream one(1);
    for (int64_t t = 0; t < T; t += 29) {
        auto alone = testing::poisoned(GetParam(), {1, H, N});
        ops::head_matmul(one, alone, x.view.rows(t, t + 1), heads.linears);
        ASSERT_EQ(same_bits(alone, y.view.rows(t, t + 1)), "") << t;
    }
}

TEST_P(HeadMatmul, PartOfEachHead) {  // As MLA does with the first 128 of 192 columns.
    const int64_t T = 6, H = 4, N = 64, K = 128;
    const Heads heads(H, N, K);
    const auto q = testing::normal(GetParam(), {T, H, K + 64}, 3);
    const Tensor x = q.view.split_last(K, 64)[0];
    auto out = testing::poisoned(GetParam(), {T, H, N + 7});
    const auto [y, rest] = out.view.split_last(N, 7);
    const auto before = testing::converted(rest, GetParam());
    ops::head_matmul(s_, y, x, heads.linears);
    auto want = testing::poisoned(GetParam(), {T, H, N});
    ops::head_matmul(s_, want, testing::converted(x, GetParam()), heads.linears);
    EXPECT_EQ(same_bits(y, want), "");
    EXPECT_EQ(same_bits(rest, before), "");
}

TEST_P(HeadMatmul, NoTokensNoWork) {
    const Heads heads(2, 16, 32);
    ops::head_matmul(s_, testing::allocate(GetParam(), {0, 2, 16}),
                     testing::allocate(GetParam(), {0, 2, 32}), heads.linears);
}

TEST_P(HeadMatmul, DeathOfHeadsThatDiffer) {
    Heads heads(2, 16, 32);
    heads.linears[1].K = 30;
    EXPECT_DEATH(ops::head_matmul(s_, testing::allocate(GetParam(), {1, 2, 16}),
                                  testing::allocate(GetParam(), {1, 2, 32}), heads.linears),
                 "heads differ: bf16 16 x 30");
}

INSTANTIATE_TEST_SUITE_P(DTypes, HeadMatmul, ::testing::Values(DType::bf16, DType::f32));

}  // namespace
}  // namespace fathom
