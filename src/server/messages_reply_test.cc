#include "server/messages_reply.h"

#include <gtest/gtest.h>

#include "server/exchange_testing.h"
#include "text/json_value.h"

namespace fathom {
namespace {

using testing::answered;
using testing::RecordedExchange;
using testing::Script;
using testing::with_plain_ids;

constexpr const char* kCalls =
    "I think.</think>I look.\n\n<｜DSML｜function_calls>\n"
    "<｜DSML｜invoke name=\"f\">\n"
    "<｜DSML｜parameter name=\"city\" string=\"true\">Oslo</｜DSML｜parameter>\n"
    "</｜DSML｜invoke>\n"
    "<｜DSML｜invoke name=\"f\">\n</｜DSML｜invoke>\n"
    "</｜DSML｜function_calls>";

// A body that has a tool and thinks, with more fields; quotes are written as '.
std::string body(const std::string& fields = "", int max_tokens = 900) {
    std::string text = str("{'max_tokens':", max_tokens,
                           ",'messages':[{'role':'user','content':'weather?'}],"
                           "'tools':[{'name':'f','input_schema':{'type':'object'}}],"
                           "'thinking':{'type':'adaptive'}",
                           fields.empty() ? "" : ",", fields, "}");
    for (char& c : text)
        if (c == '\'') c = '"';
    return text;
}

RecordedExchange ask(const std::string& body, const Script& script) {
    return answered(MessagesReply::prepare, "/v1/messages", body, script);
}

int64_t prompt_tokens(const std::string& body) {
    ReplyOrError reply = MessagesReply::prepare(testing::scripted_model(), body, {});
    return std::ssize(std::get<std::unique_ptr<Reply>>(reply)->take_requests()[0].prompt);
}

std::string usage(const std::string& body, int cached, size_t output, size_t thinking) {
    return str(R"("usage":{"input_tokens":)", prompt_tokens(body) - cached,
               R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":)", cached,
               R"(,"output_tokens":)", output, R"(,"output_tokens_details":{"thinking_tokens":)",
               thinking, "}}");
}

size_t tokens_of(const char* text) { return testing::script_tokenizer().encode(text).size(); }

TEST(MessagesReply, Whole) {
    const RecordedExchange http = ask(body(), {.text = kCalls, .cached_tokens = 7});
    EXPECT_EQ(http.status(), 200);
    EXPECT_EQ(with_plain_ids(http.body(), "toolu_"),
              R"({"id":"msg_1","type":"message","role":"assistant","model":"tiny","content":[)"
              R"({"type":"thinking","thinking":"I think.","signature":""},)"
              R"({"type":"text","text":"I look.","citations":null},)"
              R"({"type":"tool_use","id":"toolu_0","name":"f","input":{"city": "Oslo"}},)"
              R"({"type":"tool_use","id":"toolu_1","name":"f","input":{}}],)"
              R"("stop_reason":"tool_use","stop_sequence":null,)" +
                  usage(body(), 7, tokens_of(kCalls) + 1, tokens_of("I think.</think>")) + "}");
}

using Lines = std::vector<std::string>;

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

// A line per event, "NAME INDEX WHAT"; deltas of one kind that follow each other are one.
Lines outline(const RecordedExchange& http) {
    Lines lines;
    for (const auto& [name, data] : http.events()) {
        const JsonValue event = parsed(data);
        EXPECT_EQ(member(event, "type"), name);
        std::string line = name;
        if (event.find("index") != nullptr) line += " " + member(event, "index");
        std::string text;
        if (const JsonValue* block = event.find("content_block"))
            line += " " + member(*block, "type") + " " + member(*block, "name");
        if (name == "content_block_delta") {
            const JsonValue& delta = *event.find("delta");
            line += " " + member(delta, "type") + " ";
            text =
                member(delta, "text") + member(delta, "thinking") + member(delta, "partial_json");
        }
        const bool goes_on = !text.empty() && lines.back().starts_with(line);
        goes_on ? lines.back() += text : lines.emplace_back(line + text);
    }
    return lines;
}

// However tokens are cut into steps.
TEST(MessagesReply, EventsComeInOrder) {
    const std::string asked = body("'stream':true");
    for (const size_t step : {1, 2, 3, 7, 1000}) {
        const RecordedExchange http =
            ask(asked, {.text = kCalls, .cached_tokens = 7, .tokens_per_step = step});
        EXPECT_TRUE(http.ended());
        EXPECT_EQ(outline(http),
                  (Lines{"message_start", "content_block_start 0 thinking ",
                         "content_block_delta 0 thinking_delta I think.",
                         "content_block_delta 0 signature_delta ", "content_block_stop 0",
                         "content_block_start 1 text ", "content_block_delta 1 text_delta I look.",
                         "content_block_stop 1", "content_block_start 2 tool_use f",
                         "content_block_delta 2 input_json_delta {\"city\": \"Oslo\"}",
                         "content_block_stop 2", "content_block_start 3 tool_use f",
                         "content_block_delta 3 input_json_delta {}", "content_block_stop 3",
                         "message_delta", "message_stop"}));
        const size_t last = http.events().size() - 1;
        EXPECT_EQ(http.events()[last - 1].data,
                  R"({"type":"message_delta","delta":{"stop_reason":"tool_use",)"
                  R"("stop_sequence":null},)" +
                      usage(asked, 7, tokens_of(kCalls) + 1, tokens_of("I think.</think>")) + "}");
        const JsonValue start = parsed(http.events()[0].data);
        const JsonValue& so_far = *start.find("message")->find("usage");
        EXPECT_EQ(member(so_far, "input_tokens"), str(prompt_tokens(asked) - 7));
        EXPECT_EQ(member(so_far, "cache_read_input_tokens"), "7");
        EXPECT_EQ(member(so_far, "output_tokens"), "0");
    }
}

TEST(MessagesReply, IdsOfCalls) {
    const JsonValue message = parsed(ask(body(), {.text = kCalls}).body());
    const JsonValue::Array& blocks = *message.find("content")->array();
    const std::string first = member(blocks[2], "id"), second = member(blocks[3], "id");
    EXPECT_NE(first, second);
    EXPECT_TRUE(first.starts_with("toolu_") && first.size() == 30) << first;
}

// stop_reason and stop_sequence.
std::string stop_of(const std::string& body, const Script& script) {
    const JsonValue message = parsed(ask(body, script).body());
    return member(message, "stop_reason") + " " + member(message, "stop_sequence");
}

TEST(MessagesReply, WhyItEnded) {
    const Script hello{.text = "Hm.</think>Hi there"};
    const Script cut{.text = hello.text, .finish = FinishReason::length};
    EXPECT_EQ(stop_of(body(), hello), "end_turn null");
    EXPECT_EQ(stop_of(body("'stop_sequences':['x','the']"), hello), "stop_sequence the");
    EXPECT_EQ(stop_of(body(), cut), "max_tokens null");
    EXPECT_EQ(stop_of(body("", 100'000), cut), "model_context_window_exceeded null");
    EXPECT_EQ(stop_of(body(), {.text = kCalls, .finish = FinishReason::length}), "max_tokens null");
    EXPECT_EQ(stop_of(body("'tool_choice':{'type':'none'}"), hello), "end_turn null");
}

TEST(MessagesReply, OneCallWhereOneIsAllowed) {
    const JsonValue message =
        parsed(ask(body("'tool_choice':{'type':'auto','disable_parallel_tool_use':true}"),
                   {.text = kCalls})
                   .body());
    EXPECT_EQ(message.find("content")->array()->size(), 3u);
}

TEST(MessagesReply, OmittedThoughtsAreLeftOut) {
    std::string asked = body();
    asked.insert(asked.find("\"adaptive\"") + 10, R"(,"display":"omitted")");
    const JsonValue message = parsed(ask(asked, {.text = "Hm.</think>Hi"}).body());
    const JsonValue::Array& blocks = *message.find("content")->array();
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_EQ(member(blocks[0], "text"), "Hi");
}

TEST(MessagesReply, ErrorsAreAnthropics) {
    const RecordedExchange refused = ask(body("'container':'c'"), {});
    EXPECT_EQ(refused.status(), 400);
    EXPECT_EQ(
        refused.body(),
        R"({"type":"error","error":{"type":"invalid_request_error","message":"`container` is )"
        R"(run by Anthropic's servers and not here; leave it out"}})");
    EXPECT_EQ(ask(body("'model':'nope'"), {}).body(),
              R"({"type":"error","error":{"type":"not_found_error",)"
              R"("message":"The model `nope` does not exist."}})");
    EXPECT_EQ(ask(body(), {.text = "Hm", .finish = FinishReason::abort}).status(), 503);
    EXPECT_EQ(ask(body(), {.text = "Hm", .finish = FinishReason::error}).body(),
              R"({"type":"error","error":{"type":"api_error","message":"the engine failed"}})");
    for (const FinishReason finish : {FinishReason::abort, FinishReason::error}) {
        const RecordedExchange http = ask(body("'stream':true"), {.text = "Hm", .finish = finish});
        EXPECT_TRUE(http.ended());
        EXPECT_EQ(http.events().back().name, "error");
        EXPECT_TRUE(http.events().back().data.starts_with(R"({"type":"error","error":{"type":)"));
    }
}

TEST(MessagesReply, TokensAreCounted) {
    const auto count = [](const std::string& body) {
        return answered(MessagesReply::prepare_count, "/v1/messages/count_tokens", body, {});
    };
    EXPECT_EQ(count(body()).status(), 200);
    EXPECT_EQ(count(body()).body(), str(R"({"input_tokens":)", prompt_tokens(body()), "}"));
    EXPECT_EQ(count(body("'model':'nope'")).status(), 404);
    EXPECT_EQ(count(body("'tools':[{'type':'bash_20250124','name':'bash'}]")).status(), 400);
}

}  // namespace
}  // namespace fathom
