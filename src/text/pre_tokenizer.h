#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fathom {

// Cuts text into the pieces that BPE merges within: DeepSeek's three Split rules ("Isolated"), each
// applied to every piece that the rule before left, the piece taken alone, so that a look-ahead
// ends with it. Immutable; any thread may use it.
//
// The rules run on PCRE2, whose tables are of Unicode 14; where the text has a code point that
// Hugging Face's tokenizers take otherwise, patterns with the missing ranges are used
// (text/unicode_ranges.h), which are slower.
class PreTokenizer {
public:
    // The patterns as tokenizer.json has them. invalid_argument unless they are DeepSeek's.
    static Result<PreTokenizer> create(const std::vector<std::string>& patterns);
    PreTokenizer(PreTokenizer&&) noexcept;
    PreTokenizer& operator=(PreTokenizer&&) noexcept;
    ~PreTokenizer();

    // Appends the pieces of the text in order; they tile it and none is empty. Bytes that are not
    // UTF-8 may occur: a run of them is a piece of its own and ends the text before it.
    void split(std::string_view text, std::vector<std::string_view>& pieces) const;

private:
    struct Rules;
    explicit PreTokenizer(std::unique_ptr<const Rules> rules);

    std::unique_ptr<const Rules> rules_;
};

}  // namespace fathom
