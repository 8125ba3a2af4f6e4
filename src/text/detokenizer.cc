#include "text/detokenizer.h"

#include <string_view>
#include <utility>

#include "text/utf8.h"

namespace fathom {

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special) {}

std::string Detokenizer::push(Token token) {
    if (skip_special_ && tokenizer_.is_special(token)) return {};
    tail_ += tokenizer_.token_bytes(token);
    std::string_view rest = tail_;
    size_t whole = 0;
    while (whole < rest.size()) {
        const Utf8Char c = first_char(rest.substr(whole));
        if (c.kind == Utf8Char::Kind::incomplete) break;
        whole += c.bytes;
    }
    std::string text = to_valid_utf8(rest.substr(0, whole));
    tail_.erase(0, whole);
    CHECK(tail_.size() < 4, "held back ", tail_.size(), " bytes");
    return text;
}

std::string Detokenizer::flush() { return to_valid_utf8(std::exchange(tail_, {})); }

}  // namespace fathom
