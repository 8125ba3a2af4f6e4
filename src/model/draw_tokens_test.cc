#include "model/draw_tokens.h"

#include <gtest/gtest.h>

#include <vector>

#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"

namespace fathom {
namespace {

using namespace testing;

std::vector<Token> draw(const HostTensor& logits, const std::vector<DrawRow>& rows, int vocab) {
    CpuStream s;
    std::vector<Token> drawn(rows.size(), -1);
    draw_tokens(s, drawn, logits, rows, vocab);
    return drawn;
}

HostTensor rows_of(const std::vector<std::vector<float>>& rows) {
    auto t = allocate(DType::f32, {std::ssize(rows), std::ssize(rows[0])});
    for (size_t r = 0; r < rows.size(); ++r)
        std::copy(rows[r].begin(), rows[r].end(), t.view.as<float>() + r * rows[0].size());
    return t;
}

TEST(DrawTokens, MasksAndPenaltiesChangeOnlyTheirRow) {
    const std::vector<float> row{1, 5, 4, 3, 9};
    const std::vector<Token> one{1}, two{2};
    const std::vector<DrawRow> rows{
        {},                      // Plain: id 1; 4 is beyond the vocabulary.
        {.masked = {one, {}}},   // -> 2
        {.masked = {one, two}},  // -> 3
        {.penalties = {.repetition = 2}, .prompt = one},   // 5 / 2 -> 2
        {.penalties = {.presence = 1.5f}, .prompt = one},  // The prompt does not count: 1
        {.penalties = {.frequency = 1.5f}, .output = one}};
    EXPECT_EQ(draw(rows_of({row, row, row, row, row, row}), rows, 4),
              (std::vector<Token>{1, 2, 3, 2, 1, 2}));
}

// Allows what it is told to, or everything; counts how often it is asked.
struct Allows : TokenConstraint {
    explicit Allows(std::vector<Token> ids) : ids(std::move(ids)) {}
    bool allowed(std::span<uint32_t> bits) override {
        ++asked;
        std::fill(bits.begin(), bits.end(), 0);
        for (const Token id : ids) bits[id / 32] |= 1u << id % 32;
        return !ids.empty();
    }
    void accept(Token) override {}
    std::vector<Token> ids;
    int asked = 0;
};

TEST(DrawTokens, OnlyWhatIsAllowedByAll) {
    const std::vector<float> row{1, 5, 4, 3, 9};
    const std::vector<Token> few{0, 2, 3}, beyond{4};
    Allows some({3, 1}), all({}), foreign({4, 0});
    const std::vector<DrawRow> rows{
        {.allowed = few},                       // -> 2
        {.constraint = &some},                  // -> 1
        {.allowed = few, .constraint = &some},  // -> 3
        {.allowed = few, .constraint = &all},   // -> 2
        {.constraint = &foreign},               // 4 has a bit and is beyond the vocabulary: 0
        {.sample = {.fallback = 2}, .allowed = beyond},  // Nothing is left.
        {.sample = {.temperature = 1, .fallback = 1}, .masked = {few, {}}, .constraint = &foreign}};
    EXPECT_EQ(draw(rows_of({row, row, row, row, row, row, row}), rows, 4),
              (std::vector<Token>{2, 1, 3, 2, 0, 2, 1}));
    EXPECT_EQ(some.asked, 2);
    EXPECT_EQ(all.asked, 1);
}

TEST(DrawTokens, BadWordsAreNotCompleted) {
    const std::vector<float> row{1, 5, 4, 3, 9};
    const std::vector<Token> output{7, 8}, nothing;
    const std::vector<std::vector<Token>> one{{1}}, pair{{8, 1}}, other{{7, 1}}, three{{7, 8, 1}},
        longer{{6, 7, 8, 1}}, two{{1}, {8, 2}};
    const auto with = [&](const auto& words, std::span<const Token> out) {
        return draw(rows_of({row}), {{.prompt = output, .output = out, .bad_words = words}}, 4)[0];
    };
    EXPECT_EQ(with(one, nothing), 2) << "a single token always";
    EXPECT_EQ(with(pair, output), 2);
    EXPECT_EQ(with(other, output), 1) << "the output does not end with it";
    EXPECT_EQ(with(three, output), 2);
    EXPECT_EQ(with(longer, output), 1) << "longer than the output";
    EXPECT_EQ(with(pair, nothing), 1) << "the prompt does not count";
    EXPECT_EQ(with(two, output), 3);
}

// Bias before penalties: (2 + 3) / 2 < 3, and 2 / 2 + 3 would not be.
TEST(DrawTokens, BiasComesBeforePenaltiesAndBehindMasks) {
    const std::vector<std::pair<Token, float>> bias{{0, 3}}, lifts{{1, 100}};
    const std::vector<Token> zero{0}, one{1};
    EXPECT_EQ(draw(rows_of({{2, 3, 1}}), {{.bias = bias}}, 3)[0], 0);
    EXPECT_EQ(draw(rows_of({{2, 3, 1}}),
                   {{.penalties = {.repetition = 2}, .prompt = zero, .bias = bias}}, 3)[0],
              1);
    EXPECT_EQ(draw(rows_of({{2, 3, 1}}), {{.masked = {one, {}}, .bias = lifts}}, 3)[0], 0);
}

TEST(DrawTokens, KeptRowsAreDrawnFromACopy) {
    const std::vector<float> row{1, 5, 4, 3, 9};
    const std::vector<Token> one{1};
    const std::vector<std::pair<Token, float>> bias{{3, 10}};
    const HostTensor logits = rows_of({row, row, row});
    EXPECT_EQ(draw(logits,
                   {{.masked = {one, {}}},
                    {.masked = {one, {}}, .keep_logits = true},
                    {.bias = bias, .keep_logits = true}},
                   4),
              (std::vector<Token>{2, 2, 3}));
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(element(logits, 5 + i), row[i]) << i;
        EXPECT_EQ(element(logits, 10 + i), row[i]) << i;
    }
    EXPECT_NE(element(logits, 1), 5);
}

// A plan for memory is made of it.
TEST(DrawTokens, TakesNoMoreOfTheArenaThanItSays) {
    const std::vector<float> row(1000, 1);
    const std::vector<Token> one{1};
    const DrawRow all{.penalties = {1, 1, 2},
                      .prompt = one,
                      .output = one,
                      .masked = {one, one},
                      .allowed = one,
                      .keep_logits = true};
    CpuStream s;
    std::vector<Token> drawn(3);
    draw_tokens(s, drawn, rows_of({row, row, row}), std::vector{all, all, all}, 1000);
    EXPECT_LE(s.arena.high_water(), draw_tokens_bytes(3, 1000));
    EXPECT_GE(s.arena.high_water(), draw_tokens_bytes(3, 1000) * 9 / 10);
}

TEST(DrawTokens, NoRowsNoWork) { EXPECT_TRUE(draw(allocate(DType::f32, {0, 5}), {}, 5).empty()); }

TEST(DrawTokens, ASeededRowDrawsTheSameInAnyCompany) {
    auto logits = normal(DType::f32, {3, 64}, 1);
    const DrawRow mine{.sample = {.temperature = 1, .seed = 7, .position = 5}};
    const DrawRow other{.sample = {.temperature = 1, .seed = 8, .position = 9}};
    auto alone = allocate(DType::f32, {1, 64});
    std::copy_n(logits.view.as<float>() + 2 * 64, 64, alone.view.as<float>());
    EXPECT_EQ(draw(alone, {mine}, 64)[0], draw(logits, {other, other, mine}, 64)[2]);
}

}  // namespace
}  // namespace fathom
