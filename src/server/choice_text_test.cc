#include "server/choice_text.h"

#include <gtest/gtest.h>

#include "testing/tiny_checkpoint.h"

namespace fathom::testing {
namespace {

class ChoiceTextTest : public ::testing::Test {
protected:
    ChoiceTextTest()
        : tokenizer(Tokenizer::open(tiny_checkpoint("reference", "bf16")).value()),
          model{.names = {"tiny"}, .path = "", .tokenizer = &tokenizer} {}

    // Feeds the tokens of `text` one a step, the last with `finish`; -> the pieces.
    std::vector<api::CompletionChoice> pieces(ChoiceText& choice, const std::string& text,
                                              FinishReason finish) {
        std::vector<api::CompletionChoice> pieces;
        const std::vector<Token> tokens = tokenizer.encode(text);
        for (size_t i = 0; i < tokens.size() && !choice.finished(); ++i) {
            const bool last = i + 1 == tokens.size();
            pieces.push_back(
                choice.take({.tokens = {tokens[i]}, .finish = last ? finish : FinishReason::none}));
        }
        return pieces;
    }
    static std::string joined(const std::vector<api::CompletionChoice>& pieces) {
        std::string text;
        for (const api::CompletionChoice& piece : pieces) text += piece.text;
        return text;
    }

    const Tokenizer tokenizer;
    const ServedModel model;
    api::CompletionRequest request;
};

TEST_F(ChoiceTextTest, TheTokenThatEndsIsCountedAndNotShown) {
    ChoiceText choice(model, request, 3);
    const Token end = tokenizer.encode("z")[0];
    EXPECT_EQ(choice.take({.tokens = tokenizer.encode("a")}).text, "a");
    const auto piece =
        choice.take({.tokens = {end}, .finish = FinishReason::stop, .stop_token = end});
    EXPECT_EQ(piece.index, 3);
    EXPECT_EQ(piece.text, "");
    EXPECT_EQ(piece.ending.finish_reason, "stop");
    EXPECT_EQ(std::get<Token>(piece.ending.stop_reason), end);
    EXPECT_EQ(choice.tokens(), 2);
    EXPECT_TRUE(choice.finished());
    EXPECT_FALSE(choice.stopped_by_text());

    request.include_stop_str_in_output = true;
    ChoiceText shown(model, request, 0);
    EXPECT_EQ(shown.take({.tokens = {end}, .finish = FinishReason::stop, .stop_token = end}).text,
              "z");
}

TEST_F(ChoiceTextTest, SeveralTokensInAStepEndAtTheStopString) {
    request.stop = {"b"};
    request.return_token_ids = true;
    ChoiceText choice(model, request, 0);
    std::vector<Token> tokens;
    for (const char* letter : {"a", "b", "c"}) tokens.push_back(tokenizer.encode(letter)[0]);
    const auto piece = choice.take({.tokens = tokens});
    EXPECT_EQ(piece.text, "a");
    EXPECT_EQ(std::get<std::string>(piece.ending.stop_reason), "b");
    EXPECT_EQ(piece.token_ids, (std::vector<Token>{tokens[0], tokens[1]}));
    EXPECT_EQ(choice.tokens(), 2);
    EXPECT_TRUE(choice.stopped_by_text());
}

TEST_F(ChoiceTextTest, WhatWasHeldBackComesWithTheEnd) {
    request.stop = {"dogs"};
    for (const FinishReason finish : {FinishReason::length, FinishReason::abort}) {
        ChoiceText choice(model, request, 0);
        const auto all = pieces(choice, "two dog", finish);
        EXPECT_EQ(joined(all), "two dog");
        EXPECT_EQ(all.back().ending.finish_reason,
                  finish == FinishReason::abort ? "abort" : "length");
    }
}

TEST_F(ChoiceTextTest, AnAbortWithoutTokens) {
    ChoiceText choice(model, request, 0);
    const auto piece = choice.take({.tokens = {}, .finish = FinishReason::abort});
    EXPECT_EQ(piece.ending.finish_reason, "abort");
    EXPECT_EQ(piece.text, "");
    EXPECT_EQ(choice.tokens(), 0);
}

TEST_F(ChoiceTextTest, SpecialTokensAreShownOnlyWhenAskedFor) {
    const Token user = *tokenizer.added_token("<\uff5cUser\uff5c>");
    ChoiceText hidden(model, request, 0);
    EXPECT_EQ(hidden.take({.tokens = {user}}).text, "");
    request.skip_special_tokens = false;
    ChoiceText shown(model, request, 0);
    EXPECT_EQ(shown.take({.tokens = {user}}).text, "<\uff5cUser\uff5c>");
}

}  // namespace
}  // namespace fathom::testing
