#include "ops/penalize/penalize.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "ops/op_testing.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;
using Ids = std::vector<Token>;

HostTensor row_of(const std::vector<float>& values) {
    HostTensor t = testing::allocate(DType::f32, {static_cast<int64_t>(values.size())});
    std::copy(values.begin(), values.end(), t.view.as<float>());
    return t;
}

TEST(Penalize, Golden) {
    testing::CpuStream s;
    const auto cases =
        nlohmann::json::parse(std::ifstream(testing::golden_path("ops/sampling.json")));
    int changed = 0;
    for (const auto& c : cases) {
        auto logits = row_of(c["logits"].get<std::vector<float>>());
        ops::penalize(s, logits, c["prompt"].get<Ids>(), c["output"].get<Ids>(),
                      {.presence = c["presence_penalty"].get<float>(),
                       .frequency = c["frequency_penalty"].get<float>(),
                       .repetition = c["repetition_penalty"].get<float>()});
        const auto want = c["logits_after_penalties"].get<std::vector<double>>();
        for (size_t i = 0; i < want.size(); ++i)
            EXPECT_NEAR(element(logits, static_cast<int64_t>(i)), want[i], 2e-6) << c["name"];
        changed += c["logits"] != c["logits_after_penalties"];
    }
    EXPECT_GE(changed, 12);
    EXPECT_EQ(s.arena.mark(), 0);
}

TEST(Penalize, RepetitionOncePerIdWhereverItOccurs) {
    testing::CpuStream s;
    auto logits = row_of({2, -2, 0, 2, 2});
    ops::penalize(s, logits, Ids{0, 0, 1, 2}, Ids{0, 3, 3}, {.repetition = 2});
    const float want[] = {1, -4, 0, 1, 2};
    for (int i = 0; i < 5; ++i) EXPECT_EQ(element(logits, i), want[i]) << i;
}

TEST(Penalize, FrequencyCountsPresenceDoesNotBothOverTheOutputOnly) {
    testing::CpuStream s;
    auto logits = row_of({0, 0, 0, 0});
    ops::penalize(s, logits, Ids{0, 0, 1}, Ids{1, 2, 2, 2}, {.presence = 1, .frequency = 0.25f});
    const float want[] = {0, -1.25f, -1.75f, 0};
    for (int i = 0; i < 4; ++i) EXPECT_EQ(element(logits, i), want[i]) << i;
}

TEST(Penalize, WhatIsMaskedStaysMasked) {
    testing::CpuStream s;
    const float inf = std::numeric_limits<float>::infinity();
    auto logits = row_of({-inf, -inf, 3});
    ops::penalize(s, logits, Ids{0}, Ids{1, 1}, {.presence = -2, .frequency = -2, .repetition = 2});
    const float want[] = {-inf, -inf, 3};
    for (int i = 0; i < 3; ++i) EXPECT_EQ(element(logits, i), want[i]) << i;
}

TEST(Penalize, NoneIsBitExact) {
    testing::CpuStream s;
    auto logits = testing::normal(DType::f32, {1000}, 1),
         want = testing::normal(DType::f32, {1000}, 1);
    ops::penalize(s, logits, Ids{1, 2, 3}, Ids{4, 5}, {});
    EXPECT_EQ(testing::same_bits(logits, want), "");
    ops::penalize(s, logits, {}, {}, {1, 1, 2});
    EXPECT_EQ(testing::same_bits(logits, want), "");
}

TEST(PenalizeDeath, OfAnIdBeyondTheVocabulary) {
    testing::CpuStream s(1);
    auto logits = row_of({1, 2});
    EXPECT_DEATH(ops::penalize(s, logits, Ids{2}, {}, {.repetition = 2}), "token 2 of 2");
    EXPECT_DEATH(ops::penalize(s, logits, {}, Ids{-1}, {.presence = 2}), "token -1 of 2");
}

}  // namespace
}  // namespace fathom
