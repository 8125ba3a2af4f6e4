#include "text/spelling.h"

namespace fathom {

Spelling::Spelling(const Tokenizer& tokenizer, std::string_view text, Token token)
    : tokenizer_(tokenizer), text_(text), token_(token), shorter_(text.size() + 1) {
    CHECK(!text.empty() && text.size() <= 64, "a text of ", text.size(), " bytes");
    for (size_t n = 1, kept = 0; n < text_.size(); ++n) {  // Knuth, Morris and Pratt
        while (kept > 0 && text_[n] != text_[kept]) kept = shorter_[kept];
        kept += text_[n] == text_[kept];
        shorter_[n + 1] = kept;
    }
    completing_.resize(text_.size());
    for (Token other = 0; other < tokenizer.vocab_size(); ++other)
        for (size_t written = 0; written < text_.size(); ++written)
            if (other != token && after(written, tokenizer.token_bytes(other)) == text_.size())
                completing_[written].push_back(other);
}

size_t Spelling::after(size_t written, std::string_view bytes) const {
    for (const char c : bytes) {
        while (written > 0 && text_[written] != c) written = shorter_[written];
        written += text_[written] == c;
        if (written == text_.size()) break;
    }
    return written;
}

size_t Spelling::after(size_t written, Token token) const {
    if (token == token_) return 0;
    const size_t now = after(written, tokenizer_.token_bytes(token));
    return now == text_.size() ? 0 : now;
}

}  // namespace fathom
