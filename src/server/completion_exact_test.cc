// POST /v1/completions with the real model behind it: what the reference says, through the socket.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "server/server_testing.h"
#include "testing/golden.h"

namespace fathom::testing {
namespace {

using Json = nlohmann::json;

class CompletionExact : public ::testing::Test {
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
    // All tokens of choice 0, put together from the chunks.
    static std::vector<Token> streamed_tokens(Json body) {
        body["stream"] = true;
        std::vector<Token> tokens;
        for (const std::string& event : service_->stream(body.dump())) {
            if (event == "[DONE]") return tokens;
            const Json chunk = Json::parse(event);
            for (const Json& id : chunk["choices"][0]["token_ids"]) tokens.push_back(id);
        }
        ADD_FAILURE() << "no [DONE]";
        return tokens;
    }
    static std::vector<Token> tokens(const Json& body, int choice = 0) {
        return post(body)["choices"][choice]["token_ids"];
    }

    static std::unique_ptr<Service> service_;
};
std::unique_ptr<Service> CompletionExact::service_;

Json greedy(const Json& prompt, int max_tokens) {
    return {{"prompt", prompt},   {"max_tokens", max_tokens}, {"temperature", 0},
            {"ignore_eos", true}, {"return_token_ids", true}, {"skip_special_tokens", false}};
}

// Drawn, not greedy; other requests must not change what is drawn.
Json drawn(const Json& prompt, int seed) {
    Json body = greedy(prompt, 24);
    body["temperature"] = 0.9;
    body["seed"] = seed;
    return body;
}

std::vector<Token> row(const Golden& golden, const char* name) {
    const Tensor ids = golden[name];
    return {ids.as<int32_t>(), ids.as<int32_t>() + ids.dim(0)};
}

TEST_F(CompletionExact, TheReferencesTokensStreamedAndWhole) {
    for (const char* length : {"0001", "0005", "0065", "0130"}) {
        const Golden golden(str("models/bf16-plain/len-", length, ".safetensors"));
        std::vector<Token> want = row(golden, "greedy_tokens");
        // Where two logits are as good as equal in the reference, its choice is an accident.
        for (size_t i = 0; i < want.size(); ++i)
            if (golden["greedy_margin"].as<float>()[i] < 1e-4f) want.resize(i);
        ASSERT_FALSE(want.empty());
        const Json body = greedy(row(golden, "ids"), static_cast<int>(want.size()));
        EXPECT_EQ(tokens(body), want) << length;
        EXPECT_EQ(streamed_tokens(body), want) << length;
    }
}

TEST_F(CompletionExact, TheFourFormsOfAPrompt) {
    const std::string text = "The future of AI is";
    const std::vector<Token> ids = service_->tokenizer().encode(text);
    const Json of_text = post(greedy(text, 8));
    EXPECT_EQ(of_text["choices"][0]["prompt_token_ids"].get<std::vector<Token>>(), ids);
    EXPECT_EQ(of_text["usage"]["prompt_tokens"], ids.size());
    EXPECT_EQ(of_text["usage"]["completion_tokens"], 8);
    const auto want = of_text["choices"][0]["token_ids"].get<std::vector<Token>>();
    EXPECT_EQ(tokens(greedy(ids, 8)), want);
    for (const Json& prompts :
         {Json{text, "And"}, Json{ids, service_->tokenizer().encode("And")}}) {
        const Json both = post(greedy(prompts, 8));
        ASSERT_EQ(both["choices"].size(), 2u);
        EXPECT_EQ(both["choices"][0]["token_ids"].get<std::vector<Token>>(), want);
        EXPECT_EQ(both["choices"][1]["token_ids"].get<std::vector<Token>>(),
                  tokens(greedy("And", 8)));
    }
}

TEST_F(CompletionExact, ASeedRepeatsAndChoicesDiffer) {
    Json body = drawn("Once upon a time", 7);
    const std::vector<Token> alone = tokens(body);
    EXPECT_EQ(tokens(body), alone);
    EXPECT_NE(tokens(drawn("Once upon a time", 8)), alone);
    body["n"] = 2;
    const Json both = post(body)["choices"];
    EXPECT_EQ(both[0]["token_ids"].get<std::vector<Token>>(), alone);
    EXPECT_NE(both[1]["token_ids"].get<std::vector<Token>>(), alone);
    body.erase("seed");
    EXPECT_NE(tokens(body), tokens(body));  // Each gets a seed of its own.
}

TEST_F(CompletionExact, TheSameAloneAndAmongSixteen) {
    const Golden golden("models/bf16-plain/len-0130.safetensors");
    const Json body = drawn(row(golden, "ids"), 3);
    const std::vector<Token> alone = tokens(body);
    std::vector<std::thread> others;
    for (int i = 0; i < 16; ++i)
        others.emplace_back([i] { tokens(drawn(std::string(1 + 17 * i, 'a' + i), i)); });
    EXPECT_TRUE(wait_until([] { return service_->engine().stats().running >= 8; }));
    EXPECT_EQ(tokens(body), alone);
    for (std::thread& other : others) other.join();
}

TEST_F(CompletionExact, StopTokensAndMinTokens) {
    const Json body = greedy("The future of AI is", 8);
    const std::vector<Token> free = tokens(body);
    Json stopped = body;
    stopped["stop_token_ids"] = {free[0]};
    const Json first = post(stopped)["choices"][0];
    EXPECT_EQ(first["finish_reason"], "stop");
    EXPECT_EQ(first["stop_reason"], free[0]);
    EXPECT_EQ(first["text"], "");
    EXPECT_EQ(first["token_ids"].get<std::vector<Token>>(), (std::vector<Token>{free[0]}));

    // Until min_tokens are there it is not even drawn; an id that no token has is no reason to
    // fail.
    stopped["min_tokens"] = 5;
    stopped["stop_token_ids"].push_back(100'000);
    const std::vector<Token> later = tokens(stopped);
    ASSERT_GE(later.size(), 5u);
    for (int i = 0; i < 5; ++i) EXPECT_NE(later[i], free[0]);
}

TEST_F(CompletionExact, ExtremeSamplingParametersAreHarmless) {
    for (const Json& change :
         {Json{{"temperature", 1e300}}, Json{{"temperature", 1e-300}}, Json{{"top_p", 1e-300}},
          Json{{"top_k", 1 << 30}}, Json{{"top_k", int64_t{1} << 40}}, Json{{"min_p", 1}},
          Json{{"repetition_penalty", 1e-300}}, Json{{"repetition_penalty", 1e300}},
          Json{{"seed", -2}}, Json{{"seed", std::numeric_limits<int64_t>::max()}}}) {
        Json body = drawn("x", 1);
        body.update(change);
        const http::Response answer = service_->post(body.dump());
        EXPECT_TRUE(answer.status == 200 || answer.status == 400) << change << answer.body;
    }
    EXPECT_EQ(tokens(greedy("x", 4)).size(), 4u);  // It still answers.
}

}  // namespace
}  // namespace fathom::testing
