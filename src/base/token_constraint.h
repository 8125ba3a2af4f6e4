#pragma once

#include <cstdint>
#include <span>

#include "base/token.h"

namespace fathom {

// Which tokens may come next in one sequence: the engine asks before it draws and tells what was
// drawn. Made by the front end (text/grammar.h), owned by the request, used on the engine thread
// only. What was told stays told: preemption takes no token back.
class TokenConstraint {
public:
    virtual ~TokenConstraint() = default;

    // Sets bit id % 32 of word id / 32 for every id that may be drawn next; the others are cleared.
    // False, and `bits` is junk, when everything may: no mask is needed.
    //   bits   (vocab_size + 31) / 32 words, vocab_size being that of the model's head
    virtual bool allowed(std::span<uint32_t> bits) = 0;

    // The token that was drawn, allowed or not (an end token ends the sequence anyway).
    virtual void accept(Token token) = 0;
};

}  // namespace fathom
