#include "server/completion_reply.h"

#include <gtest/gtest.h>

#include "testing/tiny_checkpoint.h"

namespace fathom::testing {
namespace {

class CompletionReplyTest : public ::testing::Test {
protected:
    CompletionReplyTest()
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

TEST_F(CompletionReplyTest, TheTokenThatEndsIsCountedAndNotShown) {
    ChoiceText choice(model, request, 3);
    const Token end = tokenizer.encode("z")[0];
    EXPECT_EQ(choice.take({.tokens = tokenizer.encode("a")}).text, "a");
    const auto piece =
        choice.take({.tokens = {end}, .finish = FinishReason::stop, .stop_token = end});
    EXPECT_EQ(piece.index, 3);
    EXPECT_EQ(piece.text, "");
    EXPECT_EQ(piece.finish_reason, "stop");
    EXPECT_EQ(std::get<Token>(piece.stop_reason), end);
    EXPECT_EQ(choice.tokens(), 2);
    EXPECT_TRUE(choice.finished());
    EXPECT_FALSE(choice.stopped_by_text());

    request.include_stop_str_in_output = true;
    ChoiceText shown(model, request, 0);
    EXPECT_EQ(shown.take({.tokens = {end}, .finish = FinishReason::stop, .stop_token = end}).text,
              "z");
}

TEST_F(CompletionReplyTest, SeveralTokensInAStepEndAtTheStopString) {
    request.stop = {"b"};
    request.return_token_ids = true;
    ChoiceText choice(model, request, 0);
    std::vector<Token> tokens;
    for (const char* letter : {"a", "b", "c"}) tokens.push_back(tokenizer.encode(letter)[0]);
    const auto piece = choice.take({.tokens = tokens});
    EXPECT_EQ(piece.text, "a");
    EXPECT_EQ(std::get<std::string>(piece.stop_reason), "b");
    EXPECT_EQ(piece.token_ids, (std::vector<Token>{tokens[0], tokens[1]}));
    EXPECT_EQ(choice.tokens(), 2);
    EXPECT_TRUE(choice.stopped_by_text());
}

TEST_F(CompletionReplyTest, WhatWasHeldBackComesWithTheEnd) {
    request.stop = {"dogs"};
    for (const FinishReason finish : {FinishReason::length, FinishReason::abort}) {
        ChoiceText choice(model, request, 0);
        const auto all = pieces(choice, "two dog", finish);
        EXPECT_EQ(joined(all), "two dog");
        EXPECT_EQ(all.back().finish_reason, finish == FinishReason::abort ? "abort" : "length");
    }
}

TEST_F(CompletionReplyTest, AnAbortWithoutTokens) {
    ChoiceText choice(model, request, 0);
    const auto piece = choice.take({.tokens = {}, .finish = FinishReason::abort});
    EXPECT_EQ(piece.finish_reason, "abort");
    EXPECT_EQ(piece.text, "");
    EXPECT_EQ(choice.tokens(), 0);
}

TEST_F(CompletionReplyTest, SpecialTokensAreShownOnlyWhenAskedFor) {
    const Token user = *tokenizer.added_token("<\uff5cUser\uff5c>");
    ChoiceText hidden(model, request, 0);
    EXPECT_EQ(hidden.take({.tokens = {user}}).text, "");
    request.skip_special_tokens = false;
    ChoiceText shown(model, request, 0);
    EXPECT_EQ(shown.take({.tokens = {user}}).text, "<\uff5cUser\uff5c>");
}

TEST_F(CompletionReplyTest, AnswersOfSeveralPrompts) {
    request.n = 2;
    request.return_token_ids = true;
    CompletionReply reply(model, request, {{5, 6, 7}, {8}}, "cmpl-a");
    ASSERT_EQ(reply.num_choices(), 4);
    EXPECT_EQ(reply.unfinished, 4);
    EXPECT_EQ(reply.prompt_of(1), (std::vector<Token>{5, 6, 7}));
    EXPECT_EQ(reply.prompt_of(2), (std::vector<Token>{8}));
    for (int i = 0; i < 4; ++i)
        for (int step = 0; step <= i; ++step)
            reply.collect(reply.choices[i].take({.tokens = tokenizer.encode("a")}));
    EXPECT_EQ(reply.usage().prompt_tokens, 4);
    EXPECT_EQ(reply.usage().completion_tokens, 1 + 2 + 3 + 4);
    EXPECT_EQ(reply.usage_of(2).prompt_tokens, 1);
    EXPECT_EQ(reply.usage_of(2).completion_tokens, 3);
    EXPECT_EQ(reply.whole[3].index, 3);
    EXPECT_EQ(reply.whole[3].text, "aaaa");
    EXPECT_EQ(reply.whole[3].token_ids->size(), 4u);
    EXPECT_EQ(reply.whole[3].prompt_token_ids, (std::vector<Token>{8}));
}

}  // namespace
}  // namespace fathom::testing
