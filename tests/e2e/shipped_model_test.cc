// That models/tiny really speaks: one answer of each kind that it was trained for, through the
// server. How well it does in numbers, `make eval` says.
#include <nlohmann/json.hpp>

#include "program.h"

namespace fathom::testing {
namespace {

using Json = nlohmann::json;

class ShippedModel : public ::testing::Test {
protected:
    static void SetUpTestSuite() { server_ = std::make_unique<ServeProgram>(); }
    static void TearDownTestSuite() { server_.reset(); }

    static Json post(const char* path, const Json& body) {
        Result<http::Response> answer = connect(server_->port).request("POST", path, body.dump());
        CHECK(answer.ok(), answer.error().message);
        EXPECT_EQ(answer.value().status, 200) << answer.value().body;
        return Json::parse(answer.value().body)["choices"][0];
    }

    static std::string completion(const std::string& prompt) {
        return post("/v1/completions",
                    {{"prompt", prompt}, {"max_tokens", 64}, {"temperature", 0}})["text"];
    }

    static Json chat(const std::string& question, Json more = Json::object()) {
        more["messages"] = {{{"role", "user"}, {"content", question}}};
        more["temperature"] = 0;
        more["max_tokens"] = 200;
        return post("/v1/chat/completions", more);
    }

private:
    static std::unique_ptr<ServeProgram> server_;
};
std::unique_ptr<ServeProgram> ShippedModel::server_;

TEST_F(ShippedModel, WorksOutASum) {
    const std::string text = completion(
        "Question: Lena has 3 bags of 7 marbles each. Then she loses 4 marbles. How many marbles "
        "does Lena have now?\nAnswer:");
    EXPECT_NE(text.find("3 * 7 = 21."), std::string::npos) << text;
    EXPECT_NE(text.find("#### 17"), std::string::npos) << text;
}

TEST_F(ShippedModel, KnowsACapitalWithAndWithoutAThought) {
    const Json plain = chat("What is the capital of France?")["message"];
    EXPECT_NE(plain["content"].get<std::string>().find("Paris"), std::string::npos) << plain;
    const Json thinking = chat("What is the capital of France?",
                               {{"chat_template_kwargs", {{"thinking", true}}}})["message"];
    EXPECT_NE(thinking["content"].get<std::string>().find("Paris"), std::string::npos) << thinking;
    EXPECT_FALSE(thinking["reasoning_content"].get<std::string>().empty()) << thinking;
}

TEST_F(ShippedModel, CallsATool) {
    const Json tools = Json::parse(R"([{"type": "function", "function": {"name": "get_weather",
        "description": "Get the weather.", "parameters": {"type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"]}}}])");
    const Json choice =
        chat("What is the weather in Oslo for the next 3 days?", {{"tools", tools}});
    EXPECT_EQ(choice["finish_reason"], "tool_calls") << choice;
    ASSERT_EQ(choice["message"]["tool_calls"].size(), 1u) << choice;
    const Json& function = choice["message"]["tool_calls"][0]["function"];
    EXPECT_EQ(function["name"], "get_weather");
    EXPECT_EQ(Json::parse(function["arguments"].get<std::string>()),
              Json::parse(R"({"city": "Oslo", "days": 3})"));
}

// Far more positions than index_topk chooses: the indexer has to find it.
TEST_F(ShippedModel, FindsANeedle) {
    const std::string story =
        "One day the compass was gone. Nora looked under the bench and behind the door, but the "
        "compass was not there. \"I need my compass back,\" said Nora. Together they ran to the "
        "harbour. Ben carried a lamp, and Nora carried a rope. ";
    std::string text;
    for (int i = 0; i < 40; ++i) text += i == 13 ? "The secret code of Max is 28434. " : story;
    const Json message = chat(text + "\n\nWhat is the secret code of Max?")["message"];
    EXPECT_NE(message["content"].get<std::string>().find("28434"), std::string::npos) << message;
}

}  // namespace
}  // namespace fathom::testing
