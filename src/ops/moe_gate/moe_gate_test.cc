#include "ops/moe_gate/moe_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;
using testing::same_bits;

struct Chosen {
    HostTensor weights, experts;
};

Chosen run(Stream& s, const Tensor& logits, const Tensor& bias, int64_t K, GateArgs args) {
    Chosen out{testing::poisoned(DType::f32, {logits.dim(0), K}),
               testing::poisoned(DType::i32, {logits.dim(0), K})};
    ops::moe_gate(s, out.weights, out.experts, logits, bias, args);
    return out;
}

TEST(MoeGate, Golden) {
    testing::CpuStream s;
    const testing::Golden golden("ops/gate.safetensors");
    for (const std::string name :
         {"v32", "tiny", "ties", "equal", "best expert left out", "negative bias", "one group"}) {
        const Tensor sizes = golden[name + ".sizes"], want = golden[name + ".weights"];
        const auto size = [&](int i) { return static_cast<int>(element(sizes, i)); };
        const Chosen got = run(s, testing::converted(golden[name + ".logits"], DType::f32),
                               testing::converted(golden[name + ".bias"], DType::f32), size(2),
                               {.groups = size(0), .topk_groups = size(1), .route_scale = 2.5f});
        EXPECT_EQ(same_bits(got.experts, golden[name + ".experts"]), "") << name;
        EXPECT_LE(testing::worst_of_row(got.weights, want), 1e-6) << name;
    }
}

// By sorting, in double. Rows with a margin below 1e-5 are left out: there f32 may differ.
TEST(MoeGate, MatchesSorting) {
    testing::CpuStream s;
    const int groups = 6, size = 5, topk_groups = 3, K = 7, E = groups * size, T = 200;
    auto logits = testing::normal(DType::f32, {T, E}, 1, 2);
    auto bias = testing::normal(DType::f32, {E}, 2, 0.3f);
    const Chosen got = run(s, logits, bias, K, {groups, topk_groups, 1.5f});
    int compared = 0;
    for (int64_t t = 0; t < T; ++t) {
        std::vector<double> score(E), choice(E), sums(groups);
        for (int e = 0; e < E; ++e) {
            score[e] = 1 / (1 + std::exp(-element(logits, t * E + e)));
            choice[e] = score[e] + element(bias, e);
        }
        for (int g = 0; g < groups; ++g) {
            std::vector<double> group(choice.begin() + g * size, choice.begin() + (g + 1) * size);
            std::sort(group.rbegin(), group.rend());
            sums[g] = group[0] + group[1];
        }
        std::vector<double> sorted = sums;
        std::sort(sorted.rbegin(), sorted.rend());
        std::vector<int> order;
        for (int e = 0; e < E; ++e)
            if (sums[e / size] >= sorted[topk_groups - 1]) order.push_back(e);
        std::sort(order.begin(), order.end(), [&](int a, int b) { return choice[a] > choice[b]; });
        double margin = sorted[topk_groups - 1] - sorted[topk_groups];
        for (int k = 0; k < K; ++k)
            margin = std::min(margin, choice[order[k]] - choice[order[k + 1]]);
        if (margin < 1e-5) continue;
        ++compared;
        double sum = 0;
        for (int k = 0; k < K; ++k) sum += score[order[k]];
        for (int k = 0; k < K; ++k) {
            ASSERT_EQ(element(got.experts, t * K + k), order[k]) << t;
            ASSERT_NEAR(element(got.weights, t * K + k), score[order[k]] / sum * 1.5, 1e-6) << t;
        }
    }
    EXPECT_GT(compared, T / 2);
}

TEST(MoeGate, ARowAloneIsTheRowInABatch) {
    testing::CpuStream s, one(1);
    const int64_t T = 100;
    auto logits = testing::normal(DType::f32, {T, 256}, 1);
    auto bias = testing::normal(DType::f32, {256}, 2, 0.1f);
    const GateArgs args{8, 4, 2.5f};
    const Chosen all = run(s, logits, bias, 8, args);
    for (int64_t t = 0; t < T; ++t) {
        const Chosen alone = run(one, logits.view.rows(t, t + 1), bias, 8, args);
        ASSERT_EQ(same_bits(alone.experts, all.experts.view.rows(t, t + 1)), "");
        ASSERT_EQ(same_bits(alone.weights, all.weights.view.rows(t, t + 1)), "");
    }
}

TEST(MoeGate, StridedOutputsAndLogits) {
    testing::CpuStream s;
    auto logits = testing::normal(DType::f32, {9, 16 + 3}, 1);
    auto bias = testing::zeros(DType::f32, {16});
    auto weights = testing::poisoned(DType::f32, {9, 4 + 1});
    auto experts = testing::poisoned(DType::i32, {9, 4 + 1});
    const auto [w, w_right] = weights.view.split_last(4, 1);
    const auto [e, e_right] = experts.view.split_last(4, 1);
    const Tensor in = logits.view.split_last(16, 3)[0];
    ops::moe_gate(s, w, e, in, bias, {4, 2, 2.5f});
    const Chosen want = run(s, testing::converted(in, DType::f32), bias, 4, {4, 2, 2.5f});
    EXPECT_EQ(same_bits(e, want.experts), "");
    EXPECT_EQ(same_bits(w, want.weights), "");
    for (int i = 0; i < 9; ++i) {
        EXPECT_EQ(element(e_right, i), -99);
        EXPECT_TRUE(std::isnan(element(w_right, i)));
    }
}

TEST(MoeGate, NaNLogitsStillGiveIdsOfExperts) {
    testing::CpuStream s;
    auto logits = testing::poisoned(DType::f32, {2, 32});
    const Chosen got = run(s, logits, testing::zeros(DType::f32, {32}), 8, {4, 2, 2.5f});
    for (int i = 0; i < 16; ++i) {
        EXPECT_GE(element(got.experts, i), 0);
        EXPECT_LT(element(got.experts, i), 32);
    }
}

TEST(MoeGate, ANaNIsTheLowest) {
    testing::CpuStream s;
    auto logits = testing::allocate(DType::f32, {1, 8});
    for (int e = 0; e < 8; ++e)
        testing::set(logits, e, e == 0 ? std::nanf("") : static_cast<float>(e));
    const Chosen got = run(s, logits, testing::zeros(DType::f32, {8}), 2, {1, 1, 1});
    EXPECT_EQ(element(got.experts, 0), 7);
    EXPECT_EQ(element(got.experts, 1), 6);
}

TEST(MoeGate, NoTokensNoWork) {
    testing::CpuStream s;
    run(s, testing::zeros(DType::f32, {0, 16}), testing::zeros(DType::f32, {16}), 4, {4, 2, 1});
}

TEST(MoeGateDeath, OfMoreExpertsThanTheGroupsHave) {
    testing::CpuStream s(1);
    EXPECT_DEATH(
        run(s, testing::zeros(DType::f32, {1, 16}), testing::zeros(DType::f32, {16}), 9, {4, 2, 1}),
        "9 experts of 2 groups of 4");
}

}  // namespace
}  // namespace fathom
