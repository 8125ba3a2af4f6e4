#include "api/chat_response.h"

#include "api/json_text.h"
#include "base/check.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

std::string logprobs_json(const std::optional<std::vector<ShownLogprobs>>& rows, int64_t top) {
    return rows ? chat_logprobs_json(*rows, top) : "null";
}

std::string head_json(const ChatHead& head, const char* object) {
    return str(R"({"id":)", json_quoted(head.id), R"(,"object":")", object, R"(","created":)",
               head.created, R"(,"model":)", json_quoted(head.model), R"(,"choices":[)");
}

std::string calls_json(const std::vector<ToolCall>& calls) {
    if (calls.empty()) return "";
    std::string out = R"(,"tool_calls":[)";
    for (const ToolCall& call : calls) {
        if (out.back() != '[') out += ',';
        out += str(R"({"id":)", json_quoted(call.id), R"(,"type":"function","function":{"name":)",
                   json_quoted(call.name), R"(,"arguments":)", json_quoted(call.arguments), "}}");
    }
    return out += ']';
}

std::string message_json(const std::string& role, const ChatMessageOut& message) {
    const std::string reasoning = quoted_or_null(message.reasoning);
    return str(R"({"role":)", json_quoted(role), R"(,"content":)", quoted_or_null(message.content),
               R"(,"refusal":null,"annotations":null,"audio":null,"function_call":null)",
               calls_json(message.calls), R"(,"reasoning":)", reasoning, R"(,"reasoning_content":)",
               reasoning, "}");
}

}  // namespace

std::string chat_json(const ChatHead& head, const std::vector<ChatMessageOut>& choices,
                      const ChatPromptOut& prompt, const Usage& usage) {
    std::string out = head_json(head, "chat.completion");
    for (const ChatMessageOut& choice : choices) {
        if (&choice != &choices.front()) out += ',';
        out += str(R"({"index":)", choice.index, R"(,"message":)", message_json(head.role, choice),
                   R"(,"logprobs":)", logprobs_json(choice.logprobs, head.top_logprobs), ",",
                   ending_json(choice.ending), R"(,"token_ids":)", token_ids_json(choice.token_ids),
                   "}");
    }
    return out += str(R"(],"service_tier":null,"system_fingerprint":null,"usage":)",
                      usage_json(usage, true), R"(,"prompt_logprobs":)",
                      prompt.logprobs ? prompt_logprobs_json(*prompt.logprobs) : "null",
                      R"(,"prompt_token_ids":)", token_ids_json(prompt.token_ids),
                      R"(,"kv_transfer_params":null})");
}

std::string role_delta(const std::string& role) {
    return str(R"({"role":)", json_quoted(role), R"(,"content":""})");
}

std::string piece_delta(const ReplyPiece& piece, const std::string& call_id) {
    const std::string text = json_quoted(piece.text);
    switch (piece.kind) {
        case ReplyPiece::Kind::reasoning:
            return str(R"({"reasoning":)", text, R"(,"reasoning_content":)", text, "}");
        case ReplyPiece::Kind::content: return str(R"({"content":)", text, "}");
        case ReplyPiece::Kind::call_begin:
            return str(R"({"tool_calls":[{"index":)", piece.call, R"(,"id":)", json_quoted(call_id),
                       R"(,"type":"function","function":{"name":)", text, R"(,"arguments":""}}]})");
        case ReplyPiece::Kind::call_arguments:
            return str(R"({"tool_calls":[{"index":)", piece.call, R"(,"function":{"arguments":)",
                       text, "}}]}");
    }
    CHECK(false, "piece of kind ", static_cast<int>(piece.kind));
}

std::string chat_chunk_json(const ChatHead& head, const ChatDelta& delta,
                            const std::optional<Usage>& usage) {
    std::string out = head_json(head, "chat.completion.chunk");
    out += str(R"({"index":)", delta.index, R"(,"delta":)", delta.delta, R"(,"logprobs":)",
               logprobs_json(delta.logprobs, head.top_logprobs), ",", ending_json(delta.ending),
               R"(,"token_ids":)", token_ids_json(delta.token_ids), "}]");
    if (delta.prompt_token_ids)
        out += str(R"(,"prompt_token_ids":)", token_ids_json(delta.prompt_token_ids));
    if (usage) out += str(R"(,"usage":)", usage_json(*usage, false));
    return out += '}';
}

std::string chat_usage_json(const ChatHead& head, const Usage& usage) {
    return str(head_json(head, "chat.completion.chunk"), R"(],"usage":)", usage_json(usage, false),
               "}");
}

}  // namespace fathom::api
