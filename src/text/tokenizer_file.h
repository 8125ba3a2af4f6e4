#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "text/bpe.h"

namespace fathom {

// What tokenizer.json says, checked: every id of it is an index of `tokens`.
struct TokenizerFile {
    struct Added {
        Token token;
        std::string content;
        bool special;
    };

    std::vector<std::string> tokens;     // bytes by id; empty where there is no token
    std::array<Token, 256> byte_tokens;  // the token of each single byte
    std::vector<Merge> merges;           // by rank
    std::vector<Added> added;            // their contents are in tokens too
    std::vector<std::string> patterns;   // of the Split rules
};

// Errors are of code corrupt, or invalid_argument for a tokenizer that is whole but not of the kind
// that DeepSeek's models have (byte-level BPE behind Split rules); one sentence with the remedy.
Result<TokenizerFile> parse_tokenizer(std::string_view text);

// What of tokenizer_config.json is used here.
struct TokenizerConfig {
    bool add_bos = false;
    std::optional<std::string> bos, eos;  // contents of added tokens
};

Result<TokenizerConfig> parse_tokenizer_config(std::string_view text);

}  // namespace fathom
