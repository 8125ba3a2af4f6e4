#include "ops/logprobs/logprobs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::HostTensor;

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Answer {
    float logprob;
    int rank;
    std::vector<RankedToken> top;
};

Answer ask(Stream& s, const Tensor& logits, int64_t row, Token token, int k, int vocab) {
    std::vector<RankedToken> top(k, {-1, 99});
    LogprobsRow rows[] = {{.row = row, .token = token, .top = top}};
    ops::logprobs(s, rows, logits, vocab);
    return {rows[0].logprob, rows[0].rank, top};
}

// log(softmax) in double, one addition after the other.
std::vector<double> expected(const float* logits, int64_t V) {
    const double most = *std::max_element(logits, logits + V);
    double sum = 0;
    for (int64_t i = 0; i < V; ++i) sum += std::exp(logits[i] - most);
    std::vector<double> all(V);
    for (int64_t i = 0; i < V; ++i) all[i] = logits[i] - most - std::log(sum);
    return all;
}

// Rounded in every fourth row, so that there are ties.
HostTensor rows_of(int64_t R, int64_t V) {
    HostTensor t = testing::normal(DType::f32, {R, V}, 5, 3.0f);
    for (int64_t i = 0; i < R * V; ++i)
        if (i / V % 4 == 3) t.view.as<float>()[i] = std::round(t.view.as<float>()[i]);
    return t;
}

TEST(Logprobs, MatchTheFormulaAndSorting) {
    testing::CpuStream s;
    for (const int V : {1, 7, 64, 65, 200, 1000, 129280}) {
        const HostTensor logits = rows_of(4, V);
        for (int64_t r = 0; r < 4; ++r) {
            const float* const row = logits.view.as<float>() + r * V;
            const std::vector<double> want = expected(row, V);
            std::vector<Token> order(V);
            std::iota(order.begin(), order.end(), 0);
            std::stable_sort(order.begin(), order.end(),
                             [&](Token a, Token b) { return row[a] > row[b]; });
            for (const int k : {0, 1, 5, 20, V}) {
                if (k > V) continue;
                const Token token = static_cast<Token>((r * 31 + k) % V);
                const Answer got = ask(s, logits, r, token, k, V);
                EXPECT_NEAR(got.logprob, want[token], 1e-6 * std::fabs(want[token]) + 1e-6);
                EXPECT_EQ(got.rank,
                          1 + std::count_if(row, row + V, [&](float v) { return v > row[token]; }));
                for (int i = 0; i < k; ++i) {
                    ASSERT_EQ(got.top[i].token, order[i]) << V << ", row " << r << ", place " << i;
                    ASSERT_NEAR(got.top[i].logprob, want[order[i]],
                                1e-6 * std::fabs(want[order[i]]) + 1e-6);
                }
            }
        }
    }
    EXPECT_EQ(s.arena.mark(), 0);
}

// Clients compare the two as floats to see whether a token was the likeliest.
TEST(Logprobs, ATokensLogprobIsItsEntryToTheBit) {
    testing::CpuStream s;
    const HostTensor logits = rows_of(3, 1000);
    const Answer all = ask(s, logits, 1, 0, 1000, 1000);
    for (const RankedToken& entry : all.top)
        EXPECT_EQ(ask(s, logits, 1, entry.token, 0, 1000).logprob, entry.logprob);
}

TEST(Logprobs, ARowAloneIsTheRowInABatch) {
    testing::CpuStream three(3), one(1);
    const HostTensor wide = rows_of(24, 1000 + 5);
    const Tensor logits = wide.view.split_last(1000, 5)[0];  // Strided.
    std::vector<std::vector<RankedToken>> top(24, std::vector<RankedToken>(9));
    std::vector<LogprobsRow> rows;
    for (int64_t i = 24; i-- > 0;)
        rows.push_back({.row = i, .token = static_cast<Token>(i * 40), .top = top[i]});
    ops::logprobs(three, rows, logits, 1000);
    for (const LogprobsRow& row : rows) {
        const HostTensor alone = testing::converted(logits.rows(row.row, row.row + 1), DType::f32);
        const Answer want = ask(one, alone, 0, row.token, 9, 1000);
        EXPECT_EQ(row.logprob, want.logprob);
        EXPECT_EQ(row.rank, want.rank);
        for (int i = 0; i < 9; ++i) {
            EXPECT_EQ(row.top[i].token, want.top[i].token);
            EXPECT_EQ(row.top[i].logprob, want.top[i].logprob);
        }
    }
}

TEST(Logprobs, IdsBeyondTheVocabularyAreInTheSumOnly) {
    testing::CpuStream s;
    HostTensor logits = testing::zeros(DType::f32, {1, 80});
    for (int i = 70; i < 80; ++i) logits.view.as<float>()[i] = 10;
    const Answer got = ask(s, logits, 0, 3, 70, 70);
    EXPECT_NEAR(got.logprob, -std::log(70 + 10 * std::exp(10.0)), 1e-5);
    EXPECT_EQ(got.rank, 1);
    EXPECT_EQ(got.top.back().token, 69);
}

TEST(Logprobs, OddNumbers) {
    testing::CpuStream s;
    const float nan = std::nanf("");
    HostTensor logits = testing::allocate(DType::f32, {4, 4});
    const float values[] = {nan,  1, -kInf, 1, -kInf, -kInf,  nan,   -kInf,
                            kInf, 0, kInf,  0, 3e38f, -3e38f, 3e38f, 0};
    std::copy(std::begin(values), std::end(values), logits.view.as<float>());
    const Answer half = ask(s, logits, 0, 3, 4, 4);
    EXPECT_NEAR(half.logprob, -std::log(2), 1e-6);
    EXPECT_EQ(half.rank, 1);
    EXPECT_EQ(half.top[0].token, 1);
    EXPECT_EQ(half.top[2].token, 0) << "a NaN is as low as -inf, whose id is higher";
    EXPECT_EQ(half.top[3].logprob, -kInf);
    EXPECT_EQ(ask(s, logits, 0, 0, 0, 4).logprob, -kInf);
    EXPECT_EQ(ask(s, logits, 0, 0, 0, 4).rank, 3);
    for (const int row : {1, 2})
        for (const RankedToken& entry : ask(s, logits, row, 0, 4, 4).top)
            EXPECT_EQ(entry.logprob, -kInf) << row;
    EXPECT_NEAR(ask(s, logits, 3, 0, 0, 4).logprob, -std::log(2), 1e-6);
    EXPECT_EQ(ask(s, logits, 3, 1, 0, 4).logprob, -kInf);
}

TEST(Logprobs, NoRowsNoWork) {
    testing::CpuStream s;
    ops::logprobs(s, {}, testing::zeros(DType::f32, {0, 8}), 8);
}

TEST(LogprobsDeath, OfWhatIsNotThere) {
    testing::CpuStream s(1);
    const HostTensor logits = testing::zeros(DType::f32, {1, 8});
    EXPECT_DEATH(ask(s, logits, 1, 0, 0, 8), "row 1 of 1");
    EXPECT_DEATH(ask(s, logits, 0, 8, 0, 8), "token 8 of 8");
    EXPECT_DEATH(ask(s, logits, 0, 0, 8, 7), "top 8 of 7");
    EXPECT_DEATH(ask(s, logits, 0, 0, 0, 9), "vocab 9 of 8");
}

}  // namespace
}  // namespace fathom
