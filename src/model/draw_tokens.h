#pragma once

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "base/token.h"
#include "base/token_constraint.h"
#include "ops/logprobs/logprobs.h"
#include "ops/penalize/penalize.h"
#include "ops/sample/sample.h"

namespace fathom {

// Everything that decides which token follows one row of logits; ranges as in engine/request.h.
struct DrawRow {
    SampleRow sample;  // Its fallback is drawn when nothing is allowed.
    Penalties penalties;
    std::span<const Token> prompt, output;           // What penalties and bad words look at.
    std::array<std::span<const Token>, 2> masked{};  // Never drawn.
    std::span<const Token> allowed{};                // Only these are drawn; empty: all are.
    // The last of each is not drawn when the output ends with those before it.
    std::span<const std::vector<Token>> bad_words{};
    std::span<const std::pair<Token, float>> bias{};
    TokenConstraint* constraint = nullptr;  // Asked once, during the call.
    bool keep_logits = false;               // The row is as it was, after the call.
};

// Draws a token per row of logits [rows, vocab_size], which it changes where not told to keep them:
// masks, then bias, then penalties, then ops::sample. Ids >= vocab are never drawn: rows of the
// head that no token has. The order is that of vLLM (v1/sample/sampler.py).
void draw_tokens(Stream& s, std::span<Token> drawn, Tensor logits, std::span<const DrawRow> rows,
                 int vocab);

// ops::logprobs of rows of logits that are as the model gave them: of what was drawn from them,
// with keep_logits, or of tokens of a prompt.
void row_logprobs(Stream& s, std::span<LogprobsRow> rows, Tensor logits, int vocab);

// Bytes that draw_tokens() takes from the arena for S rows of V logits.
int64_t draw_tokens_bytes(int64_t S, int64_t V);

}  // namespace fathom
