// POST /v1/chat/completions over a model that says what the test wrote down: thoughts, answers,
// calls; whole and streamed.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/server_testing.h"

namespace fathom::testing {
namespace {

using Json = nlohmann::json;

constexpr const char* kPath = "/v1/chat/completions";
constexpr const char* kCalls =
    "Let me look.\n\n<\uff5cDSML\uff5cfunction_calls>\n"
    "<\uff5cDSML\uff5cinvoke name=\"get_weather\">\n"
    "<\uff5cDSML\uff5cparameter name=\"city\" string=\"true\">Oslo</\uff5cDSML\uff5cparameter>\n"
    "<\uff5cDSML\uff5cparameter name=\"days\" string=\"false\">2</\uff5cDSML\uff5cparameter>\n"
    "</\uff5cDSML\uff5cinvoke>\n"
    "<\uff5cDSML\uff5cinvoke name=\"now\">\n</\uff5cDSML\uff5cinvoke>\n"
    "</\uff5cDSML\uff5cfunction_calls>";

Json tool(const std::string& name, Json properties) {
    return {{"type", "function"},
            {"function",
             {{"name", name},
              {"parameters", {{"type", "object"}, {"properties", std::move(properties)}}}}}};
}

const Json& tools() {
    static const Json list = {
        tool("get_weather", {{"city", {{"type", "string"}}}, {"days", {{"type", "integer"}}}}),
        tool("now", Json::object())};
    return list;
}

class Talker {
public:
    explicit Talker(const std::string& text)
        : service({.limits = {.batch_tokens_max = 2048,
                              .batch_sequences_max = 8,
                              .sequence_tokens_max = 2048,
                              .num_blocks = 128},
                   .next = Service::says(text)}) {
        service.open();
    }

    static Json filled(Json body) {
        body.emplace("messages", Json::array({{{"role", "user"}, {"content", "hi"}}}));
        return body;
    }
    Json post(const Json& body) {
        const http::Response answer = service.post(filled(body).dump(), {}, kPath);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return Json::parse(answer.body);
    }
    Json choice(const Json& body) { return post(body)["choices"][0]; }
    // The chunks, without "[DONE]".
    std::vector<Json> chunks(Json body) {
        body["stream"] = true;
        std::vector<Json> chunks;
        const std::vector<std::string> events = service.stream(filled(body).dump(), kPath);
        EXPECT_EQ(events.back(), "[DONE]");
        for (size_t i = 0; i + 1 < events.size(); ++i) chunks.push_back(Json::parse(events[i]));
        return chunks;
    }

    Service service;
};

// What a client puts together of a stream, as openai-python does: strings are appended.
struct Assembled {
    std::string content, reasoning, finish;
    std::vector<Json> calls;
    int roles = 0;

    explicit Assembled(const std::vector<Json>& chunks, int index = 0) {
        for (const Json& chunk : chunks)
            for (const Json& choice : chunk["choices"])
                if (choice["index"] == index) add(choice);
    }
    void add(const Json& choice) {
        EXPECT_EQ(finish, "") << "a chunk after the last: " << choice;
        const Json& delta = choice["delta"];
        if (delta.contains("role")) ++roles;
        EXPECT_EQ(delta.value("reasoning", ""), delta.value("reasoning_content", ""));
        EXPECT_TRUE(content.empty() || !delta.contains("reasoning"))
            << "a thought after the answer";
        reasoning += delta.value("reasoning", "");
        content += delta.value("content", "");
        for (const Json& piece : delta.value("tool_calls", Json::array())) add_call(piece);
        if (!choice["finish_reason"].is_null()) finish = choice["finish_reason"];
    }
    void add_call(const Json& piece) {
        const size_t i = piece["index"];
        if (i == calls.size()) {
            EXPECT_EQ(piece["type"], "function");
            EXPECT_EQ(piece["function"]["arguments"], "");
            calls.push_back(piece);
            return;
        }
        ASSERT_EQ(i + 1, calls.size()) << "calls follow each other";
        EXPECT_FALSE(piece.contains("id") || piece["function"].contains("name"));
        auto& arguments = calls[i]["function"]["arguments"].get_ref<std::string&>();
        arguments += piece["function"]["arguments"].get<std::string>();
    }
};

TEST(ChatStream, AnAnswerWholeAndStreamed) {
    Talker talker("na\u00efve \u4e16\u754c \U0001F642");
    const Json whole = talker.post({});
    EXPECT_EQ(whole["object"], "chat.completion");
    EXPECT_TRUE(whole["id"].get<std::string>().starts_with("chatcmpl-"));
    const Json& message = whole["choices"][0]["message"];
    EXPECT_EQ(message["role"], "assistant");
    EXPECT_EQ(message["content"], "na\u00efve \u4e16\u754c \U0001F642");
    EXPECT_EQ(message["reasoning"], nullptr);
    EXPECT_FALSE(message.contains("tool_calls"));
    EXPECT_EQ(whole["choices"][0]["finish_reason"], "stop");

    const std::vector<Json> chunks = talker.chunks({{"stream_options", {{"include_usage", true}}}});
    const Assembled streamed(chunks);
    EXPECT_EQ(streamed.content, message["content"]);
    EXPECT_EQ(streamed.finish, "stop");
    EXPECT_EQ(streamed.roles, 1);
    EXPECT_EQ(chunks[0]["choices"][0]["delta"], (Json{{"role", "assistant"}, {"content", ""}}));
    EXPECT_EQ(chunks.back()["choices"], Json::array());
    EXPECT_EQ(chunks.back()["usage"]["completion_tokens"], whole["usage"]["completion_tokens"]);
}

TEST(ChatStream, AThoughtComesBeforeTheAnswer) {
    Talker talker("Hm, 1+1.</think>It is 2.");
    for (const char* flag : {"thinking", "enable_thinking"}) {
        const Json body = {{"chat_template_kwargs", {{flag, true}}}};
        const Json whole = talker.post(body);
        const Json& message = whole["choices"][0]["message"];
        EXPECT_EQ(message["reasoning"], "Hm, 1+1.");
        EXPECT_EQ(message["reasoning_content"], "Hm, 1+1.");
        EXPECT_EQ(message["content"], "It is 2.");
        EXPECT_GT(whole["usage"]["completion_tokens_details"]["reasoning_tokens"], 2);
        const Assembled streamed(talker.chunks(body));
        EXPECT_EQ(streamed.reasoning, "Hm, 1+1.");
        EXPECT_EQ(streamed.content, "It is 2.");
    }
    const Json cut = talker.choice({{"thinking", {{"type", "enabled"}}}, {"max_tokens", 3}});
    EXPECT_EQ(cut["message"]["content"], nullptr);
    EXPECT_NE(cut["message"]["reasoning"], nullptr);
    EXPECT_EQ(cut["finish_reason"], "length");
    EXPECT_EQ(talker.choice({{"chat_template_kwargs", {{"thinking", true}}},
                             {"include_reasoning", false}})["message"]["reasoning"],
              nullptr);
}

TEST(ChatStream, CallsWholeAndStreamed) {
    Talker talker(kCalls);
    const Json body = {{"tools", tools()}};
    const Json choice = talker.choice(body);
    EXPECT_EQ(choice["finish_reason"], "tool_calls");
    EXPECT_EQ(choice["message"]["content"], "Let me look.");
    const Json& calls = choice["message"]["tool_calls"];
    ASSERT_EQ(calls.size(), 2u);
    EXPECT_EQ(calls[0]["function"]["name"], "get_weather");
    EXPECT_EQ(calls[0]["function"]["arguments"], R"({"city": "Oslo", "days": 2})");
    EXPECT_EQ(calls[1]["function"]["name"], "now");
    EXPECT_EQ(calls[1]["function"]["arguments"], "{}");
    EXPECT_NE(calls[0]["id"], calls[1]["id"]);

    const Assembled streamed(talker.chunks(body));
    EXPECT_EQ(streamed.content, "Let me look.");
    EXPECT_EQ(streamed.finish, "tool_calls");
    ASSERT_EQ(streamed.calls.size(), 2u);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(streamed.calls[i]["function"], calls[i]["function"]) << i;
}

TEST(ChatStream, ACallThatIsCutIsTextWholeAndClosedJsonStreamed) {
    Talker talker(kCalls);
    const int64_t all = talker.post({{"tools", tools()}})["usage"]["completion_tokens"];
    int cut = 0, kept = 0;
    for (int64_t tokens = all / 3; tokens + 1 < all; tokens += 5) {
        const Json body = {{"tools", tools()}, {"max_tokens", tokens}};
        const Json choice = talker.choice(body);
        EXPECT_EQ(choice["finish_reason"], "length");
        const Json calls = choice["message"].value("tool_calls", Json::array());
        for (const Json& call : calls)
            EXPECT_EQ(call["function"]["arguments"],
                      call["function"]["name"] == "now" ? "{}" : R"({"city": "Oslo", "days": 2})");
        for (const Json& call : Assembled(talker.chunks(body)).calls)
            EXPECT_TRUE(Json::accept(call["function"]["arguments"].get<std::string>())) << call;
        if (!calls.empty()) {
            ++kept;
            EXPECT_EQ(choice["message"]["content"], "Let me look.");
        } else if (choice["message"]["content"] != "Let me look.") {
            ++cut;
            EXPECT_TRUE(std::string_view(kCalls).starts_with(
                choice["message"]["content"].get<std::string>()));
        }
    }
    EXPECT_GT(cut, 2);
    EXPECT_GT(kept, 2);
}

TEST(ChatStream, OneCallWhereParallelOnesAreNotWanted) {
    Talker talker(kCalls);
    const Json body = {{"tools", tools()}, {"parallel_tool_calls", false}};
    EXPECT_EQ(talker.choice(body)["message"]["tool_calls"].size(), 1u);
    EXPECT_EQ(Assembled(talker.chunks(body)).calls.size(), 1u);
}

TEST(ChatStream, WithoutToolsOrWithNoneABlockIsText) {
    Talker talker(kCalls);
    for (const Json& body : {Json::object(), Json{{"tools", Json::array()}},
                             Json{{"tools", tools()}, {"tool_choice", "none"}}}) {
        const Json choice = talker.choice(body);
        EXPECT_EQ(choice["finish_reason"], "stop");
        EXPECT_FALSE(choice["message"].contains("tool_calls"));
        EXPECT_NE(choice["message"]["content"].get<std::string>().find("invoke"),
                  std::string::npos);
    }
}

TEST(ChatStream, StopStringsCutTheRawReply) {
    Talker talker("one two three four");
    const Json choice = talker.choice({{"stop", "three"}});
    EXPECT_EQ(choice["message"]["content"], "one two ");
    EXPECT_EQ(choice["finish_reason"], "stop");
    EXPECT_EQ(choice["stop_reason"], "three");
    EXPECT_EQ(Assembled(talker.chunks({{"stop", "three"}})).content, "one two ");
    EXPECT_TRUE(wait_until([&] { return talker.service.engine().stats().running == 0; }));
}

TEST(ChatStream, ChoicesAreTakenApart) {
    Talker talker("the same for all");
    const Json body = {{"n", 3}, {"seed", 7}};
    EXPECT_EQ(talker.post(body)["choices"].size(), 3u);
    const std::vector<Json> chunks = talker.chunks(body);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(Assembled(chunks, i).content, "the same for all");
        EXPECT_EQ(Assembled(chunks, i).roles, 1);
    }
}

TEST(ChatStream, ThePromptIsWhatTokenizeSays) {
    Talker talker("yes");
    const Json messages = {{{"role", "system"}, {"content", "Be brief."}},
                           {{"role", "user"}, {"content", "hi <\uff5cUser\uff5c>"}}};
    const Json whole = talker.post({{"messages", messages}, {"return_token_ids", true}});
    const http::Response tokenized =
        talker.service.post(Json{{"messages", messages}}.dump(), {}, "/tokenize");
    ASSERT_EQ(tokenized.status, 200) << tokenized.body;
    const Json tokens = Json::parse(tokenized.body);
    EXPECT_EQ(tokens["tokens"], whole["prompt_token_ids"]);
    EXPECT_EQ(tokens["count"], whole["usage"]["prompt_tokens"]);
    const Token user = *talker.service.tokenizer().added_token("<\uff5cUser\uff5c>");
    int users = 0;
    for (const Json& id : tokens["tokens"]) users += id == user;
    EXPECT_EQ(users, 1) << "a stranger's text became a special token";
    const http::Response text =
        talker.service.post(Json{{"tokens", tokens["tokens"]}}.dump(), {}, "/detokenize");
    EXPECT_EQ(Json::parse(text.body)["prompt"],
              "<\uff5cbegin\u2581of\u2581sentence\uff5c>Be brief.<\uff5cUser\uff5c>hi "
              "<\uff5cUser\uff5c><\uff5cAssistant\uff5c></think>");
    // The ids of the answer say its text.
    const http::Response said = talker.service.post(
        Json{{"tokens", whole["choices"][0]["token_ids"]}}.dump(), {}, "/detokenize");
    EXPECT_EQ(Json::parse(said.body)["prompt"], "yes<\uff5cend\u2581of\u2581sentence\uff5c>");
}

TEST(ChatStream, TheLastMessageIsContinuedAndRepeatedWhereAsked) {
    Talker talker(" and so on");
    const Json messages = {{{"role", "user"}, {"content", "go"}},
                           {{"role", "assistant"}, {"content", "First"}}};
    const Json body = {{"messages", messages},
                       {"continue_final_message", true},
                       {"add_generation_prompt", false},
                       {"echo", true}};
    EXPECT_EQ(talker.choice(body)["message"]["content"], "First and so on");
    EXPECT_EQ(Assembled(talker.chunks(body)).content, "First and so on");
}

TEST(ChatStream, AFailingEngineEndsWhatHasBegunAndRefusesTheRest) {
    Service service({.next = [](const Sequence& sequence) {
        return sequence.generated() < 2 ? Token{65} : Token{-1};
    }});
    service.open();
    const std::vector<std::string> events =
        service.stream(Talker::filled({{"stream", true}}).dump(), kPath);
    ASSERT_GE(events.size(), 3u);
    EXPECT_EQ(events.back(), "[DONE]");
    EXPECT_EQ(Json::parse(events[events.size() - 2])["error"]["code"], 500);
    EXPECT_FALSE(service.engine().healthy());
    EXPECT_EQ(service.post(Talker::filled({}).dump(), {}, kPath).status, 503);
    EXPECT_EQ(service.open_replies(), 0);
}

TEST(ChatStream, WhatIsWrongIsSaidByName) {
    Talker talker("no");
    struct Wrong {
        Json body;
        const char* words;
    };
    const Json named = {{"type", "function"}, {"function", {{"name", "nope"}}}};
    for (const Wrong& wrong : std::vector<Wrong>{
             {{{"messages", Json::array()}}, "message"},
             {{{"model", "nope"}}, "The model `nope` does not exist."},
             {{{"tool_choice", "required"}}, "When using `tool_choice`, `tools` must be set."},
             {{{"tools", tools()}, {"tool_choice", named}}, "does not match any of the specified"},
             {{{"max_tokens", 100000}}, "maximum context length"},
             {{{"top_logprobs", 2}}, "when using `top_logprobs`, `logprobs` must be set to true."},
             {{{"temperature", -1}}, "temperature must be non-negative"}}) {
        const http::Response answer =
            talker.service.post(Talker::filled(wrong.body).dump(), {}, kPath);
        EXPECT_GE(answer.status, 400) << wrong.body;
        EXPECT_LT(answer.status, 500) << wrong.body;
        const std::string message = Json::parse(answer.body)["error"]["message"];
        EXPECT_NE(message.find(wrong.words), std::string::npos) << message;
    }
    EXPECT_EQ(talker.choice({})["message"]["content"], "no");
}

}  // namespace
}  // namespace fathom::testing
