#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace fathom {

// Keeps a text that has a token of its own from being spelled with other tokens, so that only that
// token can end or begin what it marks. Immutable; any thread may use it.
class Spelling {
public:
    // token: the one that may write the text. The text has 1 to 64 bytes.
    Spelling(const Tokenizer& tokenizer, std::string_view text, Token token);

    // How many bytes of the text stand at the end of what was written: 0 at the beginning.
    size_t after(size_t written, Token token) const;

    // The tokens that would complete the text.
    std::span<const Token> completing(size_t written) const { return completing_[written]; }

private:
    size_t after(size_t written, std::string_view bytes) const;

    const Tokenizer& tokenizer_;
    const std::string text_;
    const Token token_;
    std::vector<size_t> shorter_;  // [n]: the longest end of the first n bytes that begins the text
    std::vector<std::vector<Token>> completing_;
};

}  // namespace fathom
