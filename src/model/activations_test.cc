// The plan for temporaries against what full steps really take.
#include "model/activations.h"

#include <gtest/gtest.h>

#include "testing/tiny_model.h"

namespace fathom::testing {
namespace {

struct Case {
    std::string preset, format;
    Numerics numerics;
};
void PrintTo(const Case& c, std::ostream* out) {
    *out << c.preset << "/" << c.format << "/" << static_cast<int>(c.numerics.latent);
}

class Activations : public ::testing::TestWithParam<Case> {};

// As many tokens, sequences and rows of logits as the limits allow, the longest contexts.
TEST_P(Activations, AFullStepFitsThePlanAndFillsMostOfIt) {
    TinyModel m(GetParam().preset, GetParam().format, GetParam().numerics);
    const int S = m.limits.batch_sequences_max, length = m.limits.sequence_tokens_max;
    const std::vector<Token> tokens(length, 7);
    std::vector<std::vector<int32_t>> blocks;
    for (int i = 0; i < S; ++i) blocks.push_back(m.blocks(i));
    std::vector<SequencePart> parts;
    int left = m.limits.batch_tokens_max, rows = m.limits.logits_rows_max - S;
    for (int i = 0; i < S; ++i) {
        const int count = i + 1 < S ? m.limits.batch_tokens_max / S : left;
        const int more = std::min(rows, count - 1);
        parts.push_back({tokens, length - count, count, blocks[i], true, more});
        rows -= more;
        left -= count;
    }
    m.step.run(parts);
    const Arena& arena = m.stream.arena;
    EXPECT_LE(arena.high_water(), arena.bytes());
    EXPECT_GE(arena.high_water(), 0.9 * static_cast<double>(arena.bytes()))
        << arena.high_water() << " of " << arena.bytes();
}

// A few tokens: attention is then cut by keys, with sums of its own.
TEST_P(Activations, SmallStepsFitToo) {
    for (const int threads : {1, 2, 5}) {
        TinyModel m(GetParam().preset, GetParam().format, GetParam().numerics, 64, threads);
        const std::vector<Token> tokens(m.limits.sequence_tokens_max, 7);
        const std::vector<int32_t> blocks = m.blocks(0);
        for (const int count : {1, 3, 9}) {
            const SequencePart part[] = {
                {tokens, static_cast<int>(tokens.size()) - count, count, blocks, true}};
            m.step.run(part);  // Running out is a CHECK.
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Tiny, Activations,
    ::testing::Values(Case{"reference", "bf16", kPlain}, Case{"reference", "bf16", kRounded},
                      Case{"reference", "fp8", kExactFp8}, Case{"reference", "w8a8", kExactFp8},
                      Case{"wide", "bf16", kExactFp8}, Case{"wide", "fp8", kExactFp8}));

}  // namespace
}  // namespace fathom::testing
