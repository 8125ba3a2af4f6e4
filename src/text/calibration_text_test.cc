#include "text/calibration_text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "text/golden_tokenizers.h"

namespace fathom {
namespace {

using Documents = std::vector<std::vector<Token>>;

class CalibrationText : public ::testing::Test {
protected:
    Documents read(std::string_view text, CalibrationLimits limits = {}) const {
        Result<Documents> documents = calibration_documents(tokenizer, text, limits);
        CHECK(documents.ok(), documents.error().message);
        return std::move(documents).value();
    }
    std::string decoded(const std::vector<Token>& tokens) const {
        return tokenizer.decode(tokens, /*skip_special=*/true);
    }

    inline static const Tokenizer tokenizer = testing::make_v32_tokenizer();
};

TEST_F(CalibrationText, LinesOfThreeDashesSeparate) {
    const Documents documents = read("---\none\n\n---\n  \n---\r\ntwo --- 2\n ---\n----\nend\n---");
    ASSERT_EQ(documents.size(), 2u);
    EXPECT_EQ(decoded(documents[0]), "one");
    EXPECT_EQ(decoded(documents[1]), "two --- 2\n ---\n----\nend");
}

TEST_F(CalibrationText, BeginsWithOneBeginToken) {
    const Documents documents = read("plain\n---\n<｜begin▁of▁sentence｜>chat");
    ASSERT_EQ(documents.size(), 2u);
    for (const std::vector<Token>& document : documents)
        EXPECT_EQ(std::count(document.begin(), document.end(), *tokenizer.bos()), 1);
    EXPECT_EQ(documents[0][0], *tokenizer.bos());
    EXPECT_EQ(documents[1][0], *tokenizer.bos());
}

TEST_F(CalibrationText, AddedTokensAreTokens) {
    const Documents documents = read("<｜User｜>Hi<｜Assistant｜><think>");
    const std::vector<Token>& tokens = documents.at(0);
    for (const char* name : {"<｜User｜>", "<｜Assistant｜>", "<think>"})
        EXPECT_EQ(std::count(tokens.begin(), tokens.end(), *tokenizer.added_token(name)), 1)
            << name;
}

TEST_F(CalibrationText, IsBounded) {
    std::string text;
    for (int i = 0; i < 5; ++i) text += "a b c d e f g h\n---\n";
    const Documents documents = read(text, {.document_tokens_max = 4, .tokens_max = 10});
    ASSERT_EQ(documents.size(), 3u);
    EXPECT_EQ(documents[0].size(), 4u);
    EXPECT_EQ(documents[2].size(), 2u);
    EXPECT_EQ(decoded(documents[1]), "a b c");
    // A long document is cut before it is encoded, between characters.
    std::string many;
    for (int i = 0; i < 10'000; ++i) many += "水";
    EXPECT_EQ(read(many, {.document_tokens_max = 4}).at(0).size(), 4u);
}

TEST_F(CalibrationText, Refused) {
    for (const auto& [text, words] : {std::pair<const char*, const char*>{"a\xff", "not UTF-8"},
                                      {"a\xe6\xb0", "not UTF-8"},
                                      {"", "no document"},
                                      {"---\n \n---", "no document"}}) {
        Result<Documents> documents = calibration_documents(tokenizer, text);
        ASSERT_FALSE(documents.ok()) << text;
        EXPECT_NE(documents.error().message.find(words), std::string::npos);
    }
}

TEST_F(CalibrationText, TheBuiltInTextHasWhatServingMeets) {
    const Documents documents = read(builtin_calibration_text());
    EXPECT_GE(documents.size(), 8u);
    std::vector<Token> all;
    for (const std::vector<Token>& document : documents)
        all.insert(all.end(), document.begin(), document.end());
    EXPECT_GT(all.size(), 1000u);
    EXPECT_LT(all.size(), 4000u);
    for (const char* name : {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>",
                             "<｜Assistant｜>", "<think>", "</think>", "｜DSML｜"})
        EXPECT_GT(std::count(all.begin(), all.end(), *tokenizer.added_token(name)), 0) << name;
}

}  // namespace
}  // namespace fathom
