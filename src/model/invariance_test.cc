// A sequence's logits are the same bits whatever else is in the batch, however its prompt is cut,
// wherever its blocks lie and however many threads work.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "testing/tiny_model.h"

namespace fathom::testing {
namespace {

struct Case {
    std::string format;
    Numerics numerics;
};
void PrintTo(const Case& c, std::ostream* out) {
    *out << c.format << "/" << static_cast<int>(c.numerics.latent);
}

std::vector<Token> random_tokens(int count, uint32_t seed) {
    std::mt19937 rng(seed);
    std::vector<Token> tokens(count);
    for (Token& t : tokens) t = static_cast<Token>(3 + rng() % 509);
    return tokens;
}

bool same_bits(const std::vector<float>& a, const float* b) {
    return std::memcmp(a.data(), b, a.size() * sizeof(float)) == 0;
}

constexpr int kPrompt = 200, kDecodes = 12;

// Logits after the prompt and after each of kDecodes given tokens, alone, in one chunk.
std::vector<std::vector<float>> alone(TinyModel& m, const std::vector<Token>& tokens) {
    std::vector<std::vector<float>> rows;
    for (int n = kPrompt; n <= kPrompt + kDecodes; ++n)
        rows.push_back(
            run_chunked(m, {tokens.begin(), tokens.begin() + n}, n == kPrompt ? 0 : n - 1, 512));
    return rows;
}

class Invariance : public ::testing::TestWithParam<Case> {
protected:
    Invariance()
        : tokens(random_tokens(kPrompt + kDecodes, 1)),
          m("reference", GetParam().format, GetParam().numerics),
          want(alone(m, tokens)) {}

    const std::vector<Token> tokens;
    TinyModel m;
    const std::vector<std::vector<float>> want;
};

TEST_P(Invariance, PromptChunks) {
    const std::vector<Token> prompt(tokens.begin(), tokens.begin() + kPrompt);
    for (int chunk : {1, 7, 64, 512})
        EXPECT_TRUE(same_bits(run_chunked(m, prompt, 0, chunk, 3), want[0].data())) << chunk;
}

TEST_P(Invariance, RecomputedAfterPreemption) {
    // All tokens at once, as a preempted sequence comes back: the last row is that of the decode.
    EXPECT_TRUE(same_bits(run_chunked(m, tokens, 0, 512, 2), want[kDecodes].data()));
}

TEST_P(Invariance, BlockSizesAndThreads) {
    for (int block_tokens : {16, 32, 128}) {
        TinyModel other("reference", GetParam().format, GetParam().numerics, block_tokens,
                        block_tokens == 16 ? 1 : 3);
        const auto rows = alone(other, tokens);
        for (int i = 0; i <= kDecodes; ++i)
            EXPECT_TRUE(same_bits(rows[i], want[i].data())) << block_tokens << ", decode " << i;
    }
}

// Sixteen others of mixed lengths, some in their prompt and some decoding, before and behind it.
TEST_P(Invariance, AmongSixteenOthers) {
    std::mt19937 rng(7);
    std::vector<std::vector<Token>> others;
    std::vector<int> computed;
    for (int i = 0; i < 16; ++i) {
        others.push_back(random_tokens(2 + static_cast<int>(rng() % 300), 100 + i));
        computed.push_back(i % 2 == 0 ? 0 : static_cast<int>(others[i].size()) - 1);
        if (computed[i] > 0)
            run_chunked(m, {others[i].begin(), others[i].end() - 1}, 0, 512, 1 + i);
    }
    run_chunked(m, {tokens.begin(), tokens.begin() + kPrompt}, 0, 512, 0);
    for (int step = 0; step < kDecodes; ++step) {
        const int mine = kPrompt + step;
        std::vector<SequencePart> parts;
        std::vector<std::vector<int32_t>> blocks;
        for (int i = 0; i < 17; ++i) blocks.push_back(m.blocks(i));
        for (int i = 0; i < 16; ++i) {
            if (i == 9) parts.push_back({tokens, mine, 1, blocks[0], true});
            const int rest = static_cast<int>(others[i].size()) - computed[i];
            const int count = std::min(rest, 1 + static_cast<int>(rng() % 40));
            if (count == 0) continue;
            parts.push_back({others[i], computed[i], count, blocks[1 + i], i % 3 == 0});
            computed[i] += count;
        }
        const Tensor logits = m.step.run(parts);
        int row = 0;
        for (const SequencePart& part : parts) {
            if (part.tokens.data() == tokens.data()) break;
            row += part.wants_logits;
        }
        ASSERT_TRUE(same_bits(want[step + 1], logits.rows(row, row + 1).as<float>())) << step;
    }
}

TEST_P(Invariance, AnEmptyStepIsLegalAndChangesNothing) {
    const Tensor logits = m.step.run({});
    EXPECT_EQ(logits.dim(0), 0);
}

INSTANTIATE_TEST_SUITE_P(Tiny, Invariance,
                         ::testing::Values(Case{"bf16", kPlain}, Case{"bf16", kRounded},
                                           Case{"bf16", kExactFp8}, Case{"fp8", kExactFp8},
                                           Case{"w8a8", kExactFp8}));

}  // namespace
}  // namespace fathom::testing
