#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pre_tokenizer.h"

namespace fathom {

struct TokenizerFile;
struct TokenizerConfig;

// Bytes of a text.
struct TextSpan {
    size_t begin, end;

    bool operator==(const TextSpan&) const = default;
};

struct EncodeOptions {
    // Whether text that reads like an added token ("<|User|>") becomes that token. False for text
    // of strangers that must not be able to write one; it is then encoded as any other text.
    bool added_tokens = true;
    // Where no byte may belong to an added token, though added_tokens is true: what strangers wrote
    // inside a prompt. What is refused there is text like any other, in one piece with what stands
    // around it. Ascending, disjoint, within the text.
    std::span<const TextSpan> plain = {};
};

// Text to tokens and back, as tokenizer.json of a checkpoint says: byte-level BPE with DeepSeek's
// rules. The ids are those of Hugging Face's `tokenizers` without added begin token.
//
// Text is bytes: what is not UTF-8 is encoded too, and decode(encode(x)) == x for every x.
// Immutable; any thread may use it.
class Tokenizer {
public:
    // Reads tokenizer.json and tokenizer_config.json in the folder. not_found if one is missing,
    // corrupt or invalid_argument as parse_tokenizer(); the message names the file.
    static Result<Tokenizer> open(const std::filesystem::path& folder);
    // The same, from the two files' texts.
    static Result<Tokenizer> parse(std::string_view tokenizer_json, std::string_view config_json);

    // REQUIRES: a text of fewer than 2^31 bytes.
    std::vector<Token> encode(std::string_view text, EncodeOptions options = {}) const;

    // The tokens' bytes one after the other; may be no UTF-8. skip_special leaves special ones out.
    std::string decode(std::span<const Token> tokens, bool skip_special = false) const;

    // The bytes of one token; empty for an id that no token has, such as a padding row of the
    // model's vocabulary.
    std::string_view token_bytes(Token token) const { return bpe_.bytes(token); }

    // The largest id + 1. The model's own vocab_size may be larger (padding), never smaller.
    int64_t vocab_size() const { return bpe_.size(); }
    // How many of these ids are tokens.
    int64_t token_count() const { return token_count_; }

    // Marked special in the file: not shown to those who ask for text without such tokens.
    bool is_special(Token token) const;
    // The added token with exactly this content.
    std::optional<Token> added_token(std::string_view content) const {
        return added_.token_of(content);
    }

    std::optional<Token> bos() const { return bos_; }
    std::optional<Token> eos() const { return eos_; }
    // Whether the checkpoint wants bos() before a text that does not begin with it. encode() never
    // adds it.
    bool add_bos() const { return add_bos_; }

private:
    Tokenizer(TokenizerFile file, const TokenizerConfig& config, PreTokenizer pre_tokenizer);

    PreTokenizer pre_tokenizer_;
    Bpe bpe_;
    AddedTokens added_;
    std::vector<bool> special_;  // by id
    int64_t token_count_ = 0;
    std::optional<Token> bos_, eos_;
    bool add_bos_ = false;
};

}  // namespace fathom
