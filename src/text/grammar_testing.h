// Replies drawn at random from what a constraint allows, for tests and the benchmark.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "text/golden_tokenizers.h"
#include "text/grammar.h"

namespace fathom::testing {

// V3's with the names that V3.2 gives three of its tokens.
inline const Tokenizer& v32_tokenizer() {
    static const Tokenizer kV32 = [] {
        std::string json = golden_tokenizer_text("v3/tokenizer.json");
        for (const auto& [before, after] : {std::pair{"<｜place▁holder▁no▁793｜>", "｜DSML｜"},
                                            std::pair{"<｜place▁holder▁no▁798｜>", "<think>"},
                                            std::pair{"<｜place▁holder▁no▁799｜>", "</think>"}}) {
            const size_t at = json.find(before);
            CHECK(at != json.npos, before);
            json.replace(at, std::string_view(before).size(), after);
        }
        Result<Tokenizer> tokenizer =
            Tokenizer::parse(json, golden_tokenizer_text("v3/tokenizer_config.json"));
        CHECK(tokenizer.ok(), tokenizer.error().message);
        return std::move(tokenizer).value();
    }();
    return kV32;
}

constexpr Token kEnd = 1;

// How many replies are drawn: those of V3.2's vocabulary take twenty times as long.
inline uint32_t replies_of(std::string_view name) { return name == "small" ? 200 : 50; }

// The rows of the model's vocabulary; more than the tokenizer has tokens.
inline int64_t rows_of(const Tokenizer& tokenizer) {
    return tokenizer.vocab_size() > 1000 ? 129'280 : 530;
}

inline GrammarCompiler& compiler_of(const std::string& name) {
    static GrammarCompiler small(golden_tokenizer("small"), {kEnd},
                                 rows_of(golden_tokenizer("small")));
    if (name == "small") return small;
    static GrammarCompiler v32(v32_tokenizer(), {kEnd}, rows_of(v32_tokenizer()));
    return v32;
}

inline const Tokenizer& tokenizer_of(const std::string& name) {
    return name == "small" ? golden_tokenizer("small") : v32_tokenizer();
}

inline std::unique_ptr<TokenConstraint> constraint_of(const std::string& name,
                                                      const GrammarSpec& spec,
                                                      std::optional<Token> think_end = {}) {
    auto constraint = compiler_of(name).compile(spec, think_end);
    CHECK(constraint.ok(), constraint.error().message);
    return std::move(constraint).value();
}

inline std::string refusal_of(const GrammarSpec& spec) {
    auto constraint = compiler_of("small").compile(spec, {});
    return constraint.ok() ? "" : constraint.error().message;
}

// JSON without the exponents of its numbers: 75E330 is JSON, but no double, and JSON libraries
// refuse it.
inline std::string without_exponents(std::string_view json) {
    std::string plain;
    bool in_string = false;
    for (size_t i = 0; i < json.size(); ++i) {
        if (json[i] == '"') in_string = !in_string;
        const bool number = i > 0 && json[i - 1] >= '0' && json[i - 1] <= '9';
        if (!in_string && number && (json[i] == 'e' || json[i] == 'E')) {
            i = std::min(json.find_first_not_of("+-0123456789", i + 1), json.size()) - 1;
            continue;
        }
        plain += json[i];
        if (in_string && json[i] == '\\' && i + 1 < json.size()) plain += json[++i];
    }
    return plain;
}

// One reply under way.
class Reply {
public:
    Reply(const Tokenizer& tokenizer, std::unique_ptr<TokenConstraint> constraint)
        : tokenizer_(tokenizer),
          constraint_(std::move(constraint)),
          bits_((rows_of(tokenizer) + 31) / 32 + 1) {}

    // The tokens that may come next. A word behind the vocabulary stays clear.
    const std::vector<Token>& allowed() {
        std::fill(bits_.begin(), bits_.end(), 0xdeadbeef);
        EXPECT_TRUE(constraint_->allowed(bits_));
        tokens_.clear();
        for (size_t w = 0; w < bits_.size(); ++w)
            for (uint32_t word = bits_[w]; word != 0; word &= word - 1)
                tokens_.push_back(static_cast<Token>(w * 32 + __builtin_ctz(word)));
        EXPECT_FALSE(tokens_.empty());
        if (!tokens_.empty()) {
            EXPECT_LT(tokens_.back(), tokenizer_.vocab_size());
        }
        return tokens_;
    }

    bool may(Token token) const { return bits_[token / 32] >> token % 32 & 1; }
    bool may_end() const { return may(kEnd); }

    void accept(Token token) {
        constraint_->accept(token);
        all_.push_back(token);
    }
    void accept(std::string_view text) {
        for (const Token token : tokenizer_.encode(text)) accept(token);
    }

    // Draws until the end. Behind `tokens_max` tokens it takes what closes most.
    void run(std::mt19937& rng, size_t tokens_max) {
        std::vector<Token> closing;
        for (const char* text : {"}", "]", "\"", "</"})
            for (const Token token : tokenizer_.encode(text)) closing.push_back(token);
        const Token dsml = tokenizer_.added_token("｜DSML｜").value_or(kEnd);
        while (!ended()) {
            ASSERT_LT(all_.size(), tokens_max + 20'000) << text();
            const std::vector<Token>& tokens = allowed();
            ASSERT_FALSE(tokens.empty()) << text();
            Token next = tokens[rng() % tokens.size()];
            if (all_.size() > tokens_max || rng() % 8 == 0) {
                const Token close = closing[rng() % closing.size()];
                if (may(close)) next = close;
                if (may(dsml) && rng() % 3 == 0) next = dsml;
                if (may_end()) next = kEnd;
            }
            // Behind these xgrammar's classes have overlong forms and surrogates, which are no
            // UTF-8; no model writes them.
            const std::string_view bytes = tokenizer_.token_bytes(next);
            if (bytes.size() == 1 && tokens.size() > 1 &&
                std::string_view("\xc0\xc1\xe0\xed\xf0\xf4\xf5\xf6\xf7").find(bytes[0]) !=
                    std::string_view::npos)
                continue;
            accept(next);
        }
    }

    bool ended() const { return !all_.empty() && all_.back() == kEnd; }
    // Without the end token.
    std::string text() const {
        return tokenizer_.decode(std::span(all_).first(all_.size() - static_cast<size_t>(ended())));
    }
    const std::vector<Token>& all() const { return all_; }

private:
    const Tokenizer& tokenizer_;
    std::unique_ptr<TokenConstraint> constraint_;
    std::vector<uint32_t> bits_;
    std::vector<Token> tokens_, all_;
};

}  // namespace fathom::testing
