#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include "text/golden_tokenizers.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using testing::golden_tokenizer;

bool is_valid_utf8(const std::string& text) { return to_valid_utf8(text) == text; }

// The bytes cut into tokens in a random way: the bytes' own, or those of a part encoded.
std::vector<Token> random_split(const Tokenizer& tokenizer, std::string_view bytes,
                                std::mt19937& rng) {
    std::vector<Token> tokens;
    while (!bytes.empty()) {
        const size_t part = 1 + rng() % std::min<size_t>(bytes.size(), rng() % 2 ? 1 : 12);
        const std::vector<Token> some = tokenizer.encode(bytes.substr(0, part));
        tokens.insert(tokens.end(), some.begin(), some.end());
        bytes.remove_prefix(part);
    }
    return tokens;
}

TEST(Detokenizer, EqualsTheWholeForEverySplit) {
    std::mt19937 rng(11);
    const Tokenizer& tokenizer = golden_tokenizer("small");
    for (int i = 0; i < 3000; ++i) {
        const std::string bytes = testing::random_text(rng, 20) + testing::random_bytes(rng, 9) +
                                  testing::random_text(rng, 9);
        const std::vector<Token> tokens = random_split(tokenizer, bytes, rng);
        for (const bool skip_special : {false, true}) {
            Detokenizer detokenizer(tokenizer, skip_special);
            std::string text;
            for (const Token token : tokens) {
                const std::string part = detokenizer.push(token);
                ASSERT_TRUE(is_valid_utf8(part)) << ::testing::PrintToString(bytes);
                text += part;
            }
            text += detokenizer.flush();
            ASSERT_EQ(text, to_valid_utf8(tokenizer.decode(tokens, skip_special)))
                << ::testing::PrintToString(bytes);
        }
    }
}

TEST(Detokenizer, HoldsBackOnlyWhatIsIncomplete) {
    const Tokenizer& small = golden_tokenizer("small");
    Detokenizer detokenizer(small);
    const auto push = [&](std::string_view byte) {
        const std::vector<Token> tokens = small.encode(byte);
        CHECK(tokens.size() == 1, tokens.size());
        return detokenizer.push(tokens[0]);
    };
    EXPECT_EQ(push("\xf0"), "");
    EXPECT_EQ(push("\x9f"), "");
    EXPECT_EQ(push("\x98"), "");
    EXPECT_EQ(push("\x80"), "😀");
    EXPECT_EQ(push("\xe4"), "");
    EXPECT_EQ(push("a"), "\uFFFDa");  // at once: nothing can complete it
    EXPECT_EQ(push("\xff"), "\uFFFD");
    EXPECT_EQ(push("\xc3"), "");
    EXPECT_EQ(detokenizer.flush(), "\uFFFD");
    EXPECT_EQ(detokenizer.flush(), "");
    EXPECT_EQ(push("b"), "b");
}

TEST(Detokenizer, SpecialTokensInsideACharacter) {
    const Tokenizer& small = golden_tokenizer("small");
    const Token first = small.encode("\xc3")[0], second = small.encode("\xa9")[0];
    Detokenizer skipping(small, true), keeping(small, false);
    EXPECT_EQ(skipping.push(first), "");
    EXPECT_EQ(skipping.push(*small.eos()), "");
    EXPECT_EQ(skipping.push(second), "é");
    EXPECT_EQ(keeping.push(first), "");
    EXPECT_EQ(keeping.push(*small.eos()), "\uFFFD<｜end▁of▁sentence｜>");
    EXPECT_EQ(keeping.push(second), "\uFFFD");
    EXPECT_EQ(keeping.push(1000), "");  // a padding row has no text
}

}  // namespace
}  // namespace fathom
