// Bodies of Responses and Messages: whatever the bytes, a conversation that a prompt can be
// written from or refused for, or an error that a client can read.
#include <cstdint>
#include <string_view>
#include <variant>

#include "api/messages_request.h"
#include "api/messages_response.h"
#include "api/responses_request.h"
#include "base/check.h"
#include "text/chat_format.h"
#include "text/json_value.h"
#include "text/utf8.h"

namespace {

using namespace fathom;

void check_error(const api::RequestError& error) {
    CHECK(error.status == 400 && !error.message.empty(), error.status);
    for (const std::string& json : {api::to_json(error), api::message_error_json(error)})
        CHECK(to_valid_utf8(json) == json && JsonValue::parse(json).ok(), json);
}

void check_request(const api::ChatRequest& r) {
    CHECK(r.n == 1 && r.max_tokens >= 0 && r.min_tokens >= 0, r.n, " ", r.max_tokens);
    CHECK(r.temperature == 0 || r.temperature >= 0.01, r.temperature);
    const Conversation& conversation = r.conversation;
    for (const Tool& tool : conversation.tools)
        CHECK(!tool.name.empty() && JsonValue::parse(tool.function).ok(), tool.function);
    using Kind = api::ToolChoice::Kind;
    const bool chooses = r.tool_choice.kind == Kind::required || r.tool_choice.kind == Kind::named;
    CHECK(!chooses || !conversation.tools.empty(), "a choice among nothing");
    Result<ChatPrompt> prompt = ChatFormat().render(conversation);
    if (prompt.ok()) CHECK(to_valid_utf8(prompt.value().text) == prompt.value().text, "no UTF-8");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    const auto responses = api::parse_responses_request(body, {});
    if (const auto* request = std::get_if<api::ResponsesRequest>(&responses)) {
        check_request(request->chat);
        CHECK(JsonValue::parse("{" + request->echo + "}").ok(), request->echo);
    } else {
        check_error(std::get<api::RequestError>(responses));
    }
    for (const auto& parsed :
         {api::parse_messages_request(body, {}), api::parse_count_tokens_request(body)})
        if (const auto* request = std::get_if<api::ChatRequest>(&parsed))
            check_request(*request);
        else
            check_error(std::get<api::RequestError>(parsed));
    return 0;
}
