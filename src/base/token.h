#pragma once

#include <cstdint>

namespace fathom {

// A token id of the checkpoint's tokenizer: 0 <= id < vocab_size.
using Token = int32_t;

// One token of a row of logits. Natural logarithm of the softmax over the raw logits, before
// masks, penalties and temperature.
struct RankedToken {
    Token token = 0;
    float logprob = 0;
};

}  // namespace fathom
