#pragma once

#include <string>

#include "base/token.h"
#include "text/tokenizer.h"

namespace fathom {

// Turns the tokens of one reply into text as they come. What push() and flush() return is always
// whole UTF-8, and all of it together is to_valid_utf8(tokenizer.decode(tokens, skip_special)): a
// character whose bytes come in several tokens is held back until it is complete, bytes that can
// never become one are U+FFFD at once.
class Detokenizer {
public:
    // The tokenizer must outlive this.
    explicit Detokenizer(const Tokenizer& tokenizer, bool skip_special = false);

    // The text that this token completes; may be empty.
    std::string push(Token token);
    // The end of the reply: U+FFFD if a character was begun. Then a new reply may follow.
    std::string flush();

private:
    const Tokenizer& tokenizer_;
    bool skip_special_;
    std::string tail_;  // bytes that begin a character, at most 3
};

}  // namespace fathom
