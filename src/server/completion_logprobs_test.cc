// POST /v1/completions with the real model behind it: logprobs of output and prompt, masks and
// bias.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "server/server_testing.h"
#include "text/utf8.h"

namespace fathom::testing {
namespace {

using Json = nlohmann::json;

class CompletionLogprobs : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        service_ = std::make_unique<Service>(Service::Options{});
        service_->open();
    }
    static void TearDownTestSuite() { service_.reset(); }

    static Json post(const Json& body) {
        const http::Response answer = service_->post(body.dump());
        EXPECT_EQ(answer.status, 200) << answer.body;
        return Json::parse(answer.body);
    }
    static Json choice(const Json& body) { return post(body)["choices"][0]; }
    static std::vector<Json> chunks(Json body) {
        body["stream"] = true;
        std::vector<Json> chunks;
        for (const std::string& event : service_->stream(body.dump()))
            if (event != "[DONE]") chunks.push_back(Json::parse(event));
        return chunks;
    }

    static std::unique_ptr<Service> service_;
};
std::unique_ptr<Service> CompletionLogprobs::service_;

const Json kPrompt = {5, 9, 100, 33, 7, 250, 61, 8, 420, 17};

Json asking(Json more) {
    Json body = {{"prompt", kPrompt}, {"max_tokens", 1}, {"temperature", 0}, {"ignore_eos", true}};
    body.update(more);
    return body;
}

TEST_F(CompletionLogprobs, EchoCoversThePromptAndWhatFollows) {
    const Json answer = choice(asking({{"echo", true}, {"logprobs", 1}}));
    const Json& logprobs = answer["logprobs"];
    for (const char* field : {"tokens", "token_logprobs", "top_logprobs", "text_offset"})
        ASSERT_EQ(logprobs[field].size(), kPrompt.size() + 1) << field;
    EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
    EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
    const std::string prompt = to_valid_utf8(
        service_->tokenizer().decode(kPrompt.get<std::vector<Token>>(), /*skip_special=*/true));
    EXPECT_TRUE(answer["text"].get<std::string>().starts_with(prompt));

    // The prompt's numbers are those of prompt_logprobs.
    const Json rows = choice(asking({{"prompt_logprobs", 1}}))["prompt_logprobs"];
    ASSERT_EQ(rows.size(), kPrompt.size());
    EXPECT_TRUE(rows[0].is_null());
    for (size_t i = 1; i < rows.size(); ++i)
        EXPECT_EQ(rows[i][std::to_string(kPrompt[i].get<int>())]["logprob"],
                  logprobs["token_logprobs"][i])
            << i;
}

TEST_F(CompletionLogprobs, TheLikeliestTokenHasTheFloatOfTheToken) {
    const Json logprobs =
        choice(asking({{"echo", true}, {"logprobs", 3}, {"max_tokens", 8}}))["logprobs"];
    for (size_t i = kPrompt.size(); i < logprobs["tokens"].size(); ++i) {
        double best = -1e9;
        for (const auto& [token, logprob] : logprobs["top_logprobs"][i].items())
            best = std::max(best, logprob.get<double>());
        EXPECT_EQ(best, logprobs["token_logprobs"][i].get<double>()) << i;  // Greedy: the argmax.
    }
}

TEST_F(CompletionLogprobs, ThePromptAlone) {
    const Json whole = post(asking({{"echo", true}, {"logprobs", 1}, {"max_tokens", 0}}));
    EXPECT_EQ(whole["usage"]["completion_tokens"], 0);
    EXPECT_EQ(whole["choices"][0]["logprobs"]["tokens"].size(), kPrompt.size());
    EXPECT_EQ(whole["choices"][0]["finish_reason"], "length");
    const Json text = choice({{"prompt", "same text"}, {"echo", true}, {"max_tokens", 0}});
    EXPECT_EQ(text["text"], "same text");
}

TEST_F(CompletionLogprobs, StreamedTheyAreTheSame) {
    const Json body = asking({{"echo", true}, {"logprobs", 2}, {"max_tokens", 6}});
    const Json whole = choice(body)["logprobs"];
    Json joined = {{"tokens", Json::array()},
                   {"token_logprobs", Json::array()},
                   {"top_logprobs", Json::array()},
                   {"text_offset", Json::array()}};
    for (const Json& chunk : chunks(body))
        for (auto& [field, list] : joined.items())
            for (const Json& value : chunk["choices"][0]["logprobs"][field]) list.push_back(value);
    EXPECT_EQ(joined, whole);
}

TEST_F(CompletionLogprobs, OffsetsCountCharacters) {
    const Json logprobs = choice(asking({{"echo", true}, {"logprobs", 0}}))["logprobs"];
    int64_t at = 0;
    for (size_t i = 0; i < logprobs["tokens"].size(); ++i) {
        EXPECT_EQ(logprobs["text_offset"][i], at) << i;
        const std::string token = logprobs["tokens"][i];
        at += std::ranges::count_if(token, [](char c) { return (c & 0xc0) != 0x80; });
        const Json& top = logprobs["top_logprobs"][i];
        EXPECT_EQ(top.size(), i > 0 ? 1u : 0u) << i;  // The token alone; null at first.
    }
}

TEST_F(CompletionLogprobs, TheyAreOfTheRawLogits) {
    const Json plain = choice(asking({{"logprobs", 0}}))["logprobs"];
    const Json hot = choice(asking({{"logprobs", 0},
                                    {"temperature", 5},
                                    {"top_k", 1},
                                    {"logit_bias", {{"3", -50}}}}))["logprobs"];
    EXPECT_EQ(hot, plain);  // top_k 1 draws the same token.
}

TEST_F(CompletionLogprobs, RanksAndTheActualTokenFirst) {
    const http::Response answer = service_->post(asking({{"prompt_logprobs", 0}}).dump());
    const Json rows = Json::parse(answer.body)["choices"][0]["prompt_logprobs"];
    for (size_t i = 1; i < rows.size(); ++i) {
        ASSERT_EQ(rows[i].size(), 1u);
        const Json& entry = rows[i].begin().value();
        EXPECT_EQ(rows[i].begin().key(), std::to_string(kPrompt[i].get<int>()));
        EXPECT_GE(entry["rank"], 1);
        EXPECT_LT(entry["logprob"], 0);
    }
    // In the text, which keeps the order: the token of the prompt, then the others by rank.
    const std::string body = service_->post(asking({{"prompt_logprobs", 2}}).dump()).body;
    EXPECT_NE(body.find(R"("prompt_logprobs":[null,{"9":)"), std::string::npos) << body;
}

TEST_F(CompletionLogprobs, TokensAsIds) {
    const Json logprobs =
        choice(asking({{"logprobs", 1}, {"return_tokens_as_token_ids", true}}))["logprobs"];
    EXPECT_TRUE(logprobs["tokens"][0].get<std::string>().starts_with("token_id:"));
    EXPECT_TRUE(logprobs["top_logprobs"][0].begin().key().starts_with("token_id:"));
}

TEST_F(CompletionLogprobs, WhatMayBeDrawn) {
    const auto ids = [](Json more) {
        more.update({{"return_token_ids", true}, {"max_tokens", 6}});
        return choice(asking(more))["token_ids"].get<std::vector<Token>>();
    };
    const std::vector<Token> free = ids(Json::object());
    EXPECT_EQ(ids({{"logit_bias", {{"33", 100}}}}), std::vector<Token>(6, 33));
    EXPECT_EQ(ids({{"allowed_token_ids", {44}}}), std::vector<Token>(6, 44));
    const std::vector<Token> without = ids({{"logit_bias", {{std::to_string(free[0]), -100}}}});
    EXPECT_NE(without[0], free[0]);
    const std::string word = service_->tokenizer().decode(std::vector<Token>{free[0]});
    if (to_valid_utf8(word) == word) {
        EXPECT_NE(ids({{"bad_words", {word}}})[0], free[0]);
    }
    const http::Response outside = service_->post(asking({{"logit_bias", {{"99999", 1}}}}).dump());
    EXPECT_EQ(outside.status, 400);
    EXPECT_NE(outside.body.find("out-of-vocab"), std::string::npos) << outside.body;
}

TEST_F(CompletionLogprobs, AllOfThemOnlyWhereAllowed) {
    EXPECT_EQ(service_->post(asking({{"logprobs", -1}}).dump()).status, 400);
    EXPECT_EQ(service_->post(asking({{"logprobs", 20}}).dump()).status, 200);
}

}  // namespace
}  // namespace fathom::testing
