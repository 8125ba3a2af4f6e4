#pragma once

#include <span>

#include "base/token.h"
#include "model/forward_input.h"

namespace fathom {

// One sequence's part of a step: its tokens [computed, computed + num_tokens) are run.
struct SequencePart {
    std::span<const Token> tokens;  // All that are known, from position 0.
    int computed;
    int num_tokens;                   // >= 1
    std::span<const int32_t> blocks;  // Cover positions [0, computed + num_tokens).
    bool wants_logits;                // Of the last token of the part: to draw the next.
    int more_logits = 0;              // Of so many before it; else of the last so many.
};

// Writes the parts into the buffer, in order. REQUIRES: they fit the limits it was made for.
// logits_rows holds the last tokens of the parts that want logits, then, part by part, the others.
// next_tokens holds the known token at position + 1; -1 where there is none yet, and at position 0.
void fill_input(ForwardInput& in, std::span<const SequencePart> parts);

}  // namespace fathom
