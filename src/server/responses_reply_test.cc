#include "server/responses_reply.h"

#include <gtest/gtest.h>

#include "server/exchange_testing.h"
#include "text/json_value.h"

namespace fathom {
namespace {

using testing::answered;
using testing::RecordedExchange;
using testing::Script;

constexpr const char* kCalls =
    "I think.</think>I look.\n\n<｜DSML｜function_calls>\n"
    "<｜DSML｜invoke name=\"f\">\n"
    "<｜DSML｜parameter name=\"city\" string=\"true\">Oslo</｜DSML｜parameter>\n"
    "<｜DSML｜parameter name=\"days\" string=\"false\">2</｜DSML｜parameter>\n"
    "</｜DSML｜invoke>\n"
    "<｜DSML｜invoke name=\"f\">\n</｜DSML｜invoke>\n"
    "</｜DSML｜function_calls>";

// A body that has a tool and thinks, with more fields; quotes are written as '.
std::string body(std::string fields = "") {
    std::string text =
        "{'input':'weather?','tools':[{'type':'function','name':'f'}],"
        "'reasoning':{'effort':'low'}" +
        (fields.empty() ? fields : "," + fields) + "}";
    for (char& c : text)
        if (c == '\'') c = '"';
    return text;
}

RecordedExchange ask(const std::string& body, const Script& script) {
    return answered(ResponsesReply::prepare, "/v1/responses", body, script);
}

JsonValue parsed(const std::string& json) {
    Result<JsonValue> value = JsonValue::parse(json);
    CHECK(value.ok(), json);
    return std::move(value).value();
}

std::string member(const JsonValue& object, const char* name) {
    const JsonValue* found = object.find(name);
    if (found == nullptr) return "";
    return found->string() != nullptr ? *found->string() : found->dump();
}

// {"type":...,"status":...,TEXT} of each item of an answer: what does not change from run to run.
std::vector<std::string> outline(const JsonValue& response) {
    std::vector<std::string> items;
    for (const JsonValue& item : *response.find("output")->array()) {
        std::string line = member(item, "type") + " " + member(item, "status") + " ";
        if (const JsonValue* content = item.find("content"))
            for (const JsonValue& part : *content->array()) line += member(part, "text");
        items.push_back(line + member(item, "name") + member(item, "arguments"));
    }
    return items;
}

using Lines = std::vector<std::string>;

TEST(ResponsesReply, Whole) {
    const RecordedExchange http = ask(body(), {.text = kCalls, .cached_tokens = 7});
    EXPECT_EQ(http.status(), 200);
    const JsonValue response = parsed(http.body());
    EXPECT_EQ(member(response, "id"), "resp_1");
    EXPECT_EQ(member(response, "status"), "completed");
    EXPECT_EQ(member(response, "model"), "tiny");
    EXPECT_EQ(member(response, "incomplete_details"), "null");
    EXPECT_EQ(outline(response), (Lines{"reasoning completed I think.", "message completed I look.",
                                        R"(function_call completed f{"city": "Oslo", "days": 2})",
                                        "function_call completed f{}"}));
    const JsonValue& usage = *response.find("usage");
    EXPECT_EQ(member(*usage.find("input_tokens_details"), "cached_tokens"), "7");
    EXPECT_EQ(member(usage, "output_tokens"),
              str(testing::script_tokenizer().encode(kCalls).size() + 1));
    EXPECT_EQ(member(*usage.find("output_tokens_details"), "reasoning_tokens"),
              str(testing::script_tokenizer().encode("I think.</think>").size()));
}

// Names in their order, a name that repeats once.
Lines order(const RecordedExchange& http) {
    Lines names;
    for (const auto& [name, data] : http.events())
        if (names.empty() || names.back() != name) names.push_back(name);
    return names;
}

TEST(ResponsesReply, EventsComeInOrder) {
    const RecordedExchange http = ask(body("'stream':true"), {.text = kCalls});
    EXPECT_TRUE(http.ended());
    EXPECT_EQ(order(http), (Lines{"response.created",
                                  "response.in_progress",
                                  "response.output_item.added",
                                  "response.content_part.added",
                                  "response.reasoning_text.delta",
                                  "response.reasoning_text.done",
                                  "response.content_part.done",
                                  "response.output_item.done",
                                  "response.output_item.added",
                                  "response.content_part.added",
                                  "response.output_text.delta",
                                  "response.output_text.done",
                                  "response.content_part.done",
                                  "response.output_item.done",
                                  "response.output_item.added",
                                  "response.function_call_arguments.delta",
                                  "response.function_call_arguments.done",
                                  "response.output_item.done",
                                  "response.output_item.added",
                                  "response.function_call_arguments.delta",
                                  "response.function_call_arguments.done",
                                  "response.output_item.done",
                                  "response.completed"}));
    for (size_t i = 0; i < http.events().size(); ++i) {
        const auto& [name, data] = http.events()[i];
        EXPECT_TRUE(data.starts_with(str(R"({"type":")", name, R"(","sequence_number":)", i, ",")))
            << data;
    }
}

// All of a short stream, byte for byte.
TEST(ResponsesReply, EventsByteForByte) {
    const RecordedExchange http =
        ask(R"({"input":"a","stream":true})", {.text = "Hi", .tokens_per_step = 9});
    const std::string place = R"("item_id":"msg_1_0","output_index":0,"content_index":0,)";
    const std::string part = R"({"type":"output_text","annotations":[],"logprobs":[],"text":)";
    const Lines expected = {
        R"("output_index":0,"item":{"id":"msg_1_0","type":"message","status":"in_progress",)"
        R"("role":"assistant","content":[]}})",
        place + R"("part":)" + part + R"(""}})",
        place + R"("delta":"Hi","logprobs":[]})",
        place + R"("text":"Hi","logprobs":[]})",
        place + R"("part":)" + part + R"("Hi"}})",
        R"("output_index":0,"item":{"id":"msg_1_0","type":"message","status":"completed",)"
        R"("role":"assistant","content":[)" +
            part + R"("Hi"}]}})",
    };
    ASSERT_EQ(http.events().size(), expected.size() + 3);
    for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_TRUE(http.events()[i + 2].data.ends_with(str(i + 2, ",", expected[i])))
            << http.events()[i + 2].data;
}

// What was streamed is what is answered whole, however tokens are cut into steps.
TEST(ResponsesReply, DeltasAddUpToTheWhole) {
    const RecordedExchange whole = ask(body(), {.text = kCalls});
    for (const size_t step : {1, 2, 3, 7, 1000}) {
        const RecordedExchange http =
            ask(body("'stream':true"), {.text = kCalls, .tokens_per_step = step});
        const JsonValue last = parsed(http.events().back().data);
        EXPECT_EQ(outline(*last.find("response")), outline(parsed(whole.body())));
        std::vector<std::string> texts;
        for (const auto& [name, data] : http.events()) {
            const JsonValue event = parsed(data);
            if (name == "response.output_item.added") texts.emplace_back();
            if (name.ends_with(".delta")) {
                EXPECT_EQ(member(event, "output_index"), str(texts.size() - 1));
                texts.back() += member(event, "delta");
            }
        }
        EXPECT_EQ(texts, (Lines{"I think.", "I look.", R"({"city": "Oslo", "days": 2})", "{}"}));
    }
}

TEST(ResponsesReply, CallsOfOneStreamKeepTheirIds) {
    const RecordedExchange http = ask(body("'stream':true"), {.text = kCalls});
    std::vector<std::string> ids;
    for (const auto& [name, data] : http.events()) {
        const JsonValue event = parsed(data);
        const JsonValue* item = event.find("item");
        if (item != nullptr && item->find("call_id") != nullptr)
            ids.push_back(member(*item, "call_id"));
    }
    ASSERT_EQ(ids.size(), 4u);  // added and done, twice
    EXPECT_EQ(ids[0], ids[1]);
    EXPECT_EQ(ids[2], ids[3]);
    EXPECT_NE(ids[0], ids[2]);
    EXPECT_TRUE(ids[0].starts_with("call_") && ids[0].size() == 29) << ids[0];
}

TEST(ResponsesReply, CutByTheLimit) {
    const Script script{.text = "I think.</think>And so on", .finish = FinishReason::length};
    const JsonValue response = parsed(ask(body(), script).body());
    EXPECT_EQ(member(response, "status"), "incomplete");
    EXPECT_EQ(member(response, "incomplete_details"), R"({"reason":"max_output_tokens"})");
    EXPECT_EQ(outline(response),
              (Lines{"reasoning completed I think.", "message incomplete And so on"}));
    EXPECT_EQ(order(ask(body("'stream':true"), script)).back(), "response.incomplete");
    const Script thought{.text = "I think", .finish = FinishReason::length};
    EXPECT_EQ(outline(parsed(ask(body(), thought).body())), Lines{"reasoning incomplete I think"});
}

TEST(ResponsesReply, AnAnswerOfNothingIsAMessage) {
    EXPECT_EQ(outline(parsed(ask(body(), {.text = ""}).body())), Lines{"message completed "});
    EXPECT_EQ(outline(parsed(ask(body(), {.text = "Hm.</think>"}).body())),
              (Lines{"reasoning completed Hm.", "message completed "}));
    EXPECT_EQ(order(ask(body("'stream':true"), {.text = ""})).size(), 8u);
}

TEST(ResponsesReply, OneCallWhereOneIsAllowed) {
    const JsonValue response =
        parsed(ask(body("'parallel_tool_calls':false"), {.text = kCalls}).body());
    EXPECT_EQ(response.find("output")->array()->size(), 3u);
}

TEST(ResponsesReply, Failures) {
    const Script abort{.text = "Hm", .finish = FinishReason::abort};
    EXPECT_EQ(member(parsed(ask(body(), abort).body()), "status"), "failed");
    for (const FinishReason finish : {FinishReason::abort, FinishReason::error}) {
        const RecordedExchange http = ask(body("'stream':true"), {.text = "Hm", .finish = finish});
        EXPECT_TRUE(http.ended());
        EXPECT_EQ(http.events().back().name, "response.failed");
        const JsonValue last = parsed(http.events().back().data);
        EXPECT_EQ(member(*last.find("response"), "status"), "failed");
        EXPECT_EQ(member(*last.find("response")->find("error"), "code"), "server_error");
    }
    const RecordedExchange whole = ask(body(), {.text = "Hm", .finish = FinishReason::error});
    EXPECT_EQ(whole.status(), 500);
    EXPECT_TRUE(whole.body().starts_with(R"({"error":{"message":"the engine failed")"));
}

TEST(ResponsesReply, RefusalsAreOpenAIs) {
    const RecordedExchange http = ask(body("'background':true"), {});
    EXPECT_EQ(http.status(), 400);
    EXPECT_TRUE(http.body().starts_with(R"({"error":{"message":"`background`)")) << http.body();
    EXPECT_EQ(ask(body("'model':'nope'"), {}).status(), 404);
    // What the prompt cannot be written from is in `input`.
    const std::string alone =
        R"({"input":[{"type":"function_call_output","call_id":"c","output":"x"}]})";
    EXPECT_NE(ask(alone, {}).body().find(R"("param":"input")"), std::string::npos);
}

// What is asked for beyond the context is a limit that it never comes to.
TEST(ResponsesReply, TheContextLimitsTheLength) {
    const auto length_of = [](const std::string& fields) {
        ReplyOrError reply = ResponsesReply::prepare(testing::scripted_model(), body(fields), {});
        const Request request =
            std::move(std::get<std::unique_ptr<Reply>>(reply)->take_requests()[0]);
        return std::pair(request.max_tokens, 4096 - static_cast<int>(request.prompt.size()));
    };
    EXPECT_EQ(length_of("'max_output_tokens':9").first, 9);
    const auto [asked, room] = length_of("'max_output_tokens':100000");
    EXPECT_EQ(asked, room);
    EXPECT_EQ(length_of("").first, room);
}

}  // namespace
}  // namespace fathom
