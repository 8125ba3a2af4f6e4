#pragma once

#include <span>

#include "base/token.h"
#include "tensor/stream.h"

namespace fathom {

struct Penalties {
    float presence = 0;
    float frequency = 0;
    float repetition = 1;
};

// Changes one row of logits in place, before temperature: for tokens of prompt or output, logit > 0
// is divided by repetition_penalty, else multiplied; for tokens of the output, frequency_penalty *
// count and presence_penalty are subtracted. What is -inf stays so.
//
//   logits           f32 [V]
//   prompt, output   ids in [0, V)
//
// vLLM's and OpenAI's definitions.
namespace ops {
void penalize(Stream& s, Tensor logits, std::span<const Token> prompt,
              std::span<const Token> output, Penalties penalties);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void penalize(Stream& s, Tensor logits, std::span<const Token> prompt,
              std::span<const Token> output, Penalties penalties);
}
namespace cuda {
void penalize(Stream& s, Tensor logits, std::span<const Token> prompt,
              std::span<const Token> output, Penalties penalties);
}

}  // namespace fathom
