#include "api/responses_response.h"

#include <gtest/gtest.h>

namespace fathom::api {
namespace {

using Kind = AnswerItem::Kind;
using State = AnswerItem::State;
using Status = ResponseState::Status;

const ResponseHead kHead{.id = "resp_7", .created_at = 5, .model = "m", .echo = R"("tools":[])"};
const AnswerItem kThought{.kind = Kind::thought, .state = State::complete, .text = "hm \"q\""};
const AnswerItem kText{.kind = Kind::text, .state = State::cut, .text = "Hi"};
const AnswerItem kCall{.kind = Kind::call,
                       .state = State::complete,
                       .text = R"({"a": 1})",
                       .name = "f",
                       .call_id = "call_1"};

TEST(ResponsesResponse, Whole) {
    const Usage usage{
        .prompt_tokens = 10, .completion_tokens = 5, .cached_tokens = 8, .reasoning_tokens = 3};
    EXPECT_EQ(
        response_json(kHead, {.status = Status::completed, .usage = usage},
                      {kThought, kText, kCall}),
        R"({"id":"resp_7","object":"response","created_at":5,"status":"completed","error":null,)"
        R"("incomplete_details":null,"model":"m","output":[)"
        R"({"id":"rs_7_0","type":"reasoning","status":"completed","summary":[],)"
        R"("content":[{"type":"reasoning_text","text":"hm \"q\""}],"encrypted_content":null},)"
        R"({"id":"msg_7_1","type":"message","status":"incomplete","role":"assistant",)"
        R"("content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Hi"}]},)"
        R"({"id":"fc_7_2","type":"function_call","status":"completed","call_id":"call_1",)"
        R"("name":"f","arguments":"{\"a\": 1}"}],"tools":[],)"
        R"("usage":{"input_tokens":10,"input_tokens_details":{"cached_tokens":8,)"
        R"("cache_write_tokens":0},"output_tokens":5,)"
        R"("output_tokens_details":{"reasoning_tokens":3},"total_tokens":15}})");
}

TEST(ResponsesResponse, CutAndFailed) {
    EXPECT_EQ(response_json(kHead, {.status = Status::incomplete}, {}),
              R"({"id":"resp_7","object":"response","created_at":5,"status":"incomplete",)"
              R"("error":null,"incomplete_details":{"reason":"max_output_tokens"},"model":"m",)"
              R"("output":[],"tools":[],"usage":null})");
    EXPECT_EQ(response_json(kHead, {.status = Status::failed, .error = "why"}, {}),
              R"({"id":"resp_7","object":"response","created_at":5,"status":"failed",)"
              R"("error":{"code":"server_error","message":"why"},"incomplete_details":null,)"
              R"("model":"m","output":[],"tools":[],"usage":null})");
}

TEST(ResponsesResponse, Events) {
    AnswerItem open = kText;
    open.state = State::open;
    open.text.clear();
    EXPECT_EQ(response_event_json("response.output_item.added", 3, item_members(kHead, open, 1)),
              R"({"type":"response.output_item.added","sequence_number":3,"output_index":1,)"
              R"("item":{"id":"msg_7_1","type":"message","status":"in_progress",)"
              R"("role":"assistant","content":[]}})");
    EXPECT_EQ(part_members(kHead, open, 1),
              R"("item_id":"msg_7_1","output_index":1,"content_index":0,"part":)"
              R"({"type":"output_text","annotations":[],"logprobs":[],"text":""})");
    EXPECT_EQ(part_members(kHead, kThought, 0),
              R"("item_id":"rs_7_0","output_index":0,"content_index":0,"part":)"
              R"({"type":"reasoning_text","text":"hm \"q\""})");
    EXPECT_EQ(delta_members(kHead, open, 1, "i\n"),
              R"("item_id":"msg_7_1","output_index":1,"content_index":0,"delta":"i\n",)"
              R"("logprobs":[])");
    EXPECT_EQ(delta_members(kHead, kCall, 2, "{"),
              R"("item_id":"fc_7_2","output_index":2,"delta":"{")");
    EXPECT_EQ(done_members(kHead, kText, 1),
              R"("item_id":"msg_7_1","output_index":1,"content_index":0,"text":"Hi",)"
              R"("logprobs":[])");
    EXPECT_EQ(done_members(kHead, kThought, 0),
              R"("item_id":"rs_7_0","output_index":0,"content_index":0,"text":"hm \"q\"")");
    EXPECT_EQ(done_members(kHead, kCall, 2),
              R"("item_id":"fc_7_2","output_index":2,"name":"f","arguments":"{\"a\": 1}")");
}

}  // namespace
}  // namespace fathom::api
