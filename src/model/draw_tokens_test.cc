#include "model/draw_tokens.h"

#include <gtest/gtest.h>

#include <vector>

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
