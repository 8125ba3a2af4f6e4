#pragma once

#include <span>

#include "tensor/stream.h"

namespace fathom {

// How one row is drawn; ranges as in engine/request.h.
struct SampleRow {
    float temperature = 0;  // < 1e-5: greedy
    float top_p = 1;
    int top_k = 0;
    float min_p = 0;
    uint64_t seed = 0;
    int choice = 0;
    int position = 0;      // Of the token that is drawn.
    int32_t fallback = 0;  // Drawn when nothing may be: when every logit is -inf. < vocab
};

// Draws one token per row. In this order: temperature, min_p, top_k (ties at its border stay),
// top_p (tokens while the mass before them is < p, equal logits in id order), then the largest
// logit / temperature + Gumbel noise, the noise a function of (seed, choice, position, token id)
// alone (ops/sample/noise.h). Greedy rows take the largest logit. Ties: the lower id. NaN counts as
// -inf; in a row with +inf the first of those is taken.
//
//   tokens  i32 [S]
//   logits  f32 [S, V]   penalties and masks are applied already
//   rows    S plain structs
//   vocab   ids >= vocab are never drawn (rows of the head beyond the tokenizer)
namespace ops {
void sample(Stream& s, Tensor tokens, Tensor logits, std::span<const SampleRow> rows, int vocab);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void sample(Stream& s, Tensor tokens, Tensor logits, std::span<const SampleRow> rows, int vocab);
}
namespace cuda {
void sample(Stream& s, Tensor tokens, Tensor logits, std::span<const SampleRow> rows, int vocab);
}

}  // namespace fathom
