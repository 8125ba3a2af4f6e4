#include "model/fill_input.h"

#include <gtest/gtest.h>

#include <vector>

namespace fathom {
namespace {

constexpr Limits kLimits{.batch_tokens_max = 8,
                         .batch_sequences_max = 3,
                         .logits_rows_max = 6,
                         .sequence_tokens_max = 12,
                         .block_tokens = 4,
                         .num_blocks = 9};

struct Input {
    std::vector<char> memory = std::vector<char>(ForwardInput::bytes(kLimits));
    ForwardInput in{memory.data(), kLimits};
};

std::vector<int> values(const Tensor& t, int64_t count) {
    return {t.as<int32_t>(), t.as<int32_t>() + count};
}

TEST(FillInput, APromptPartAndADecode) {
    Input input;
    const std::vector<Token> prompt{10, 11, 12, 13, 14, 15, 16}, other{20, 21, 22};
    const std::vector<int32_t> prompt_blocks{7, 2}, other_blocks{5};
    const SequencePart parts[] = {{prompt, 2, 4, prompt_blocks, false},
                                  {other, 2, 1, other_blocks, true}};
    fill_input(input.in, parts);
    EXPECT_EQ(values(input.in.counts, 4), (std::vector{5, 2, 1, 6}));
    EXPECT_EQ(values(input.in.tokens, 5), (std::vector{12, 13, 14, 15, 22}));
    EXPECT_EQ(values(input.in.next_tokens, 5), (std::vector{13, 14, 15, 16, -1}));
    EXPECT_EQ(values(input.in.positions, 5), (std::vector{2, 3, 4, 5, 2}));
    EXPECT_EQ(values(input.in.sequences, 5), (std::vector{0, 0, 0, 0, 1}));
    EXPECT_EQ(values(input.in.slots, 5), (std::vector{30, 31, 8, 9, 22}));
    EXPECT_EQ(values(input.in.logits_rows, 1), (std::vector{4}));
    EXPECT_EQ(values(input.in.block_tables, 2), (std::vector{7, 2}));
    EXPECT_EQ(values(input.in.block_tables.rows(1, 2), 1), (std::vector{5}));
}

// What is drawn from comes first, then what logprobs of prompts are made of.
TEST(FillInput, RowsOfLogitsToDrawFromComeFirst) {
    Input input;
    const std::vector<Token> a(12, 1), b(12, 2), c(12, 3);
    const std::vector<int32_t> blocks{0, 1, 2};
    const SequencePart parts[] = {
        {a, 2, 3, blocks, false, 3}, {b, 9, 3, blocks, true, 1}, {c, 11, 1, blocks, true}};
    fill_input(input.in, parts);
    EXPECT_EQ(input.in.num_logits(), 6);
    EXPECT_EQ(values(input.in.logits_rows, 6), (std::vector{5, 6, 0, 1, 2, 4}));
}

TEST(FillInput, AnEmptyStepIsLegal) {
    Input input;
    fill_input(input.in, {});
    EXPECT_EQ(values(input.in.counts, 4), (std::vector{0, 0, 0, 0}));
}

TEST(FillInput, RefusesWhatDoesNotFit) {
    Input input;
    const std::vector<Token> tokens(12, 1);
    const std::vector<int32_t> blocks{0, 1, 2};
    const SequencePart too_many[] = {{tokens, 0, 9, blocks, true}};
    EXPECT_DEATH(fill_input(input.in, too_many), "9 tokens in the step, at most 8");
    const SequencePart no_block[] = {{tokens, 4, 5, {blocks.data(), 2}, true}};
    EXPECT_DEATH(fill_input(input.in, no_block), "3 blocks needed, the sequence has 2");
    const SequencePart rows[] = {{tokens, 0, 3, blocks, true, 3}};
    EXPECT_DEATH(fill_input(input.in, rows), "3 more rows of logits of 3 tokens");
    const SequencePart many[] = {{tokens, 0, 7, blocks, true, 6}};
    EXPECT_DEATH(fill_input(input.in, many), "7 rows of logits in the step, at most 6");
}

}  // namespace
}  // namespace fathom
