#include "api/messages_response.h"

#include <gtest/gtest.h>

namespace fathom::api {
namespace {

using Kind = AnswerItem::Kind;

const MessageHead kHead{.id = "msg_7", .model = "m"};
const AnswerItem kThought{.kind = Kind::thought, .text = "hm"};
const AnswerItem kText{.kind = Kind::text, .text = "\"Hi\""};
const AnswerItem kCall{
    .kind = Kind::call, .text = R"({"a": 1})", .name = "f", .call_id = "toolu_1"};

TEST(MessagesResponse, Whole) {
    const Usage usage{
        .prompt_tokens = 10, .completion_tokens = 5, .cached_tokens = 8, .reasoning_tokens = 3};
    EXPECT_EQ(message_json(kHead, {kThought, kText, kCall}, {.reason = "tool_use"}, usage),
              R"({"id":"msg_7","type":"message","role":"assistant","model":"m","content":[)"
              R"({"type":"thinking","thinking":"hm","signature":""},)"
              R"({"type":"text","text":"\"Hi\"","citations":null},)"
              R"({"type":"tool_use","id":"toolu_1","name":"f","input":{"a": 1}}],)"
              R"("stop_reason":"tool_use","stop_sequence":null,)"
              R"("usage":{"input_tokens":2,"cache_creation_input_tokens":0,)"
              R"("cache_read_input_tokens":8,"output_tokens":5,)"
              R"("output_tokens_details":{"thinking_tokens":3}}})");
}

TEST(MessagesResponse, Events) {
    EXPECT_EQ(message_start_json(kHead, {.prompt_tokens = 4}),
              R"({"type":"message_start","message":{"id":"msg_7","type":"message",)"
              R"("role":"assistant","model":"m","content":[],"stop_reason":null,)"
              R"("stop_sequence":null,"usage":{"input_tokens":4,"cache_creation_input_tokens":0,)"
              R"("cache_read_input_tokens":0,"output_tokens":0}}})");
    EXPECT_EQ(block_start_json(kCall, 2),
              R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use",)"
              R"("id":"toolu_1","name":"f","input":{}}})");
    EXPECT_EQ(block_start_json(kThought, 0),
              R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking",)"
              R"("thinking":"","signature":""}})");
    EXPECT_EQ(block_delta_json(kThought, 0, "a"),
              R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta",)"
              R"("thinking":"a"}})");
    EXPECT_EQ(block_delta_json(kText, 1, "a"),
              R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta",)"
              R"("text":"a"}})");
    EXPECT_EQ(block_delta_json(kCall, 2, "{\""),
              R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta",)"
              R"("partial_json":"{\""}})");
    EXPECT_EQ(signature_delta_json(0),
              R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta",)"
              R"("signature":""}})");
    EXPECT_EQ(block_stop_json(1), R"({"type":"content_block_stop","index":1})");
    EXPECT_EQ(message_delta_json({.reason = "stop_sequence", .sequence = "\n"},
                                 {.prompt_tokens = 4, .completion_tokens = 2}),
              R"({"type":"message_delta","delta":{"stop_reason":"stop_sequence",)"
              R"("stop_sequence":"\n"},"usage":{"input_tokens":4,"cache_creation_input_tokens":0,)"
              R"("cache_read_input_tokens":0,"output_tokens":2}})");
    EXPECT_EQ(message_stop_json(), R"({"type":"message_stop"})");
    EXPECT_EQ(count_tokens_json(12), R"({"input_tokens":12})");
}

TEST(MessagesResponse, ErrorsByStatus) {
    const auto type_of = [](int status) {
        const std::string json = message_error_json({.message = "why \"so\"", .status = status});
        const std::string before = R"({"type":"error","error":{"type":")";
        EXPECT_TRUE(json.starts_with(before)) << json;
        EXPECT_TRUE(json.ends_with(R"(","message":"why \"so\""}})")) << json;
        return json.substr(before.size(), json.find('"', before.size()) - before.size());
    };
    EXPECT_EQ(type_of(400), "invalid_request_error");
    EXPECT_EQ(type_of(401), "authentication_error");
    EXPECT_EQ(type_of(403), "permission_error");
    EXPECT_EQ(type_of(404), "not_found_error");
    EXPECT_EQ(type_of(413), "request_too_large");
    EXPECT_EQ(type_of(429), "rate_limit_error");
    EXPECT_EQ(type_of(500), "api_error");
    EXPECT_EQ(type_of(503), "overloaded_error");
}

}  // namespace
}  // namespace fathom::api
