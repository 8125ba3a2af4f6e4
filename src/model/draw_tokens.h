#pragma once

#include <array>
#include <span>

#include "base/token.h"
#include "ops/penalize/penalize.h"
#include "ops/sample/sample.h"

namespace fathom {

// Everything that decides which token follows one row of logits.
struct DrawRow {
    SampleRow sample;
    Penalties penalties;
    std::span<const Token> prompt, output;           // What the penalties look at.
    std::array<std::span<const Token>, 2> masked{};  // Never drawn.
};

// Draws a token per row of logits [rows, vocab_size], which it changes. Ids >= vocab are never
// drawn: rows of the head that no token has.
void draw_tokens(Stream& s, std::span<Token> drawn, Tensor logits, std::span<const DrawRow> rows,
                 int vocab);

}  // namespace fathom
