#include "text/spelling.h"

#include <gtest/gtest.h>

#include "text/golden_tokenizers.h"

namespace fathom {
namespace {

constexpr std::string_view kText = "｜DSML｜";

class SpellingTest : public ::testing::Test {
protected:
    bool completes(size_t written, Token token) const {
        const std::span<const Token> tokens = spelling.completing(written);
        return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
    }
    // What stands at the end behind this text, token by token.
    size_t after(std::string_view text) const {
        size_t written = 0;
        for (const Token token : tokenizer.encode(text, {.added_tokens = false}))
            written = spelling.after(written, token);
        return written;
    }

    const Tokenizer& tokenizer = testing::golden_tokenizer("small");
    const Token dsml = *tokenizer.added_token(kText);
    const Spelling spelling{tokenizer, kText, dsml};
};

TEST_F(SpellingTest, FollowsWhatIsWritten) {
    EXPECT_EQ(after("</"), 0u);
    EXPECT_EQ(after("</｜"), 3u);
    EXPECT_EQ(after("</｜DSM"), 6u);
    EXPECT_EQ(after("</｜DSM｜"), 3u) << "the second bar begins anew";
    EXPECT_EQ(after("｜｜D"), 4u);
    EXPECT_EQ(spelling.after(6, dsml), 0u) << "the token stands for itself";
}

TEST_F(SpellingTest, KnowsWhatWouldCompleteIt) {
    // The bar is three bytes, and small's tokens for them are single bytes.
    const std::vector<Token> bar = tokenizer.encode("｜");
    ASSERT_EQ(bar.size(), 3u);
    EXPECT_TRUE(completes(kText.size() - 1, bar[2]));
    EXPECT_FALSE(completes(kText.size() - 2, bar[1]));
    EXPECT_FALSE(completes(2, bar[2]));
    for (size_t written = 0; written < kText.size(); ++written)
        EXPECT_FALSE(completes(written, dsml));
}

// The same by brute force, over all tokens: what was written and the token's bytes hold the text.
TEST_F(SpellingTest, AgreesWithSearching) {
    for (size_t written = 0; written < kText.size(); ++written)
        for (Token token = 0; token < tokenizer.vocab_size(); ++token) {
            if (token == dsml) continue;
            const std::string both = str(kText.substr(0, written), tokenizer.token_bytes(token));
            EXPECT_EQ(completes(written, token), both.find(kText) != both.npos) << both;
        }
}

}  // namespace
}  // namespace fathom
