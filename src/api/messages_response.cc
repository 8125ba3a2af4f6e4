#include "api/messages_response.h"

#include "base/check.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

using Kind = AnswerItem::Kind;

// `text`: of a call its input, a JSON object.
std::string block_json(const AnswerItem& block, const std::string& text) {
    switch (block.kind) {
        case Kind::thought:
            return str(R"({"type":"thinking","thinking":)", json_quoted(text),
                       R"(,"signature":""})");
        case Kind::text:
            return str(R"({"type":"text","text":)", json_quoted(text), R"(,"citations":null})");
        case Kind::call:
            return str(R"({"type":"tool_use","id":)", json_quoted(block.call_id), R"(,"name":)",
                       json_quoted(block.name), R"(,"input":)", text.empty() ? "{}" : text, "}");
    }
    CHECK(false, "block of kind ", static_cast<int>(block.kind));
}

std::string usage_json(const Usage& usage) {
    const int64_t cached = usage.cached_tokens.value_or(0);
    std::string out = str(R"({"input_tokens":)", usage.prompt_tokens - cached,
                          R"(,"cache_creation_input_tokens":0,"cache_read_input_tokens":)", cached,
                          R"(,"output_tokens":)", usage.completion_tokens);
    if (usage.reasoning_tokens)
        out += str(R"(,"output_tokens_details":{"thinking_tokens":)", *usage.reasoning_tokens, "}");
    return out += '}';
}

std::string stop_members(const MessageStop& stop) {
    return str(R"("stop_reason":)", stop.reason.empty() ? "null" : json_quoted(stop.reason),
               R"(,"stop_sequence":)", stop.sequence.empty() ? "null" : json_quoted(stop.sequence));
}

const char* error_type(int status) {
    switch (status) {
        case 401: return "authentication_error";
        case 403: return "permission_error";
        case 404: return "not_found_error";
        case 413: return "request_too_large";
        case 429: return "rate_limit_error";
        case 503:
        case 529: return "overloaded_error";
        default: return status >= 500 ? "api_error" : "invalid_request_error";
    }
}

}  // namespace

std::string message_json(const MessageHead& head, const std::vector<AnswerItem>& blocks,
                         const MessageStop& stop, const Usage& usage) {
    std::string out =
        str(R"({"id":)", json_quoted(head.id), R"(,"type":"message","role":"assistant","model":)",
            json_quoted(head.model), R"(,"content":[)");
    for (const AnswerItem& block : blocks)
        out += str(&block == &blocks.front() ? "" : ",", block_json(block, block.text));
    return out += str("],", stop_members(stop), R"(,"usage":)", usage_json(usage), "}");
}

std::string message_start_json(const MessageHead& head, const Usage& usage) {
    return str(R"({"type":"message_start","message":)", message_json(head, {}, {}, usage), "}");
}

std::string block_start_json(const AnswerItem& block, size_t index) {
    return str(R"({"type":"content_block_start","index":)", index, R"(,"content_block":)",
               block_json(block, ""), "}");
}

std::string block_delta_json(const AnswerItem& block, size_t index, const std::string& text) {
    const auto delta = [&] {
        switch (block.kind) {
            case Kind::thought: return R"({"type":"thinking_delta","thinking":)";
            case Kind::text: return R"({"type":"text_delta","text":)";
            case Kind::call: return R"({"type":"input_json_delta","partial_json":)";
        }
        CHECK(false, "block of kind ", static_cast<int>(block.kind));
    };
    return str(R"({"type":"content_block_delta","index":)", index, R"(,"delta":)", delta(),
               json_quoted(text), "}}");
}

std::string signature_delta_json(size_t index) {
    return str(R"({"type":"content_block_delta","index":)", index,
               R"(,"delta":{"type":"signature_delta","signature":""}})");
}

std::string block_stop_json(size_t index) {
    return str(R"({"type":"content_block_stop","index":)", index, "}");
}

std::string message_delta_json(const MessageStop& stop, const Usage& usage) {
    return str(R"({"type":"message_delta","delta":{)", stop_members(stop), R"(},"usage":)",
               usage_json(usage), "}");
}

std::string message_stop_json() { return R"({"type":"message_stop"})"; }

std::string count_tokens_json(int64_t tokens) { return str(R"({"input_tokens":)", tokens, "}"); }

std::string message_error_json(const RequestError& error) {
    return str(R"({"type":"error","error":{"type":")", error_type(error.status), R"(","message":)",
               json_quoted(error.message), "}}");
}

}  // namespace fathom::api
