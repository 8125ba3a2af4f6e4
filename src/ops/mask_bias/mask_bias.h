#pragma once

#include <span>
#include <utility>

#include "base/token.h"
#include "tensor/stream.h"

namespace fathom {

// Changes one row of logits in place: -inf for the ids whose bit in `allowed` is clear and for
// those of `masked`, then `bias` is added (what is -inf stays so).
//
//   logits   f32 [V]
//   allowed  bit id % 32 of word id / 32; (V + 31) / 32 words, or none: all are allowed
//   masked   ids in [0, V)
//   bias     ids in [0, V), finite; an id that comes twice gets both
//
// allowed_token_ids, min_tokens, logit_bias and the grammar's bitmask of vLLM's sampler.
namespace ops {
void mask_bias(Stream& s, Tensor logits, std::span<const uint32_t> allowed,
               std::span<const Token> masked, std::span<const std::pair<Token, float>> bias);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void mask_bias(Stream& s, Tensor logits, std::span<const uint32_t> allowed,
               std::span<const Token> masked, std::span<const std::pair<Token, float>> bias);
}
namespace cuda {
void mask_bias(Stream& s, Tensor logits, std::span<const uint32_t> allowed,
               std::span<const Token> masked, std::span<const std::pair<Token, float>> bias);
}

}  // namespace fathom
