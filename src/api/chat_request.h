#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "api/generation_request.h"
#include "text/conversation.h"

namespace fathom::api {

struct ToolChoice {
    enum class Kind { none, automatic, required, named } kind = Kind::none;
    std::string name;  // named: the function, one of the request's tools.
};

// A conversation that wants its next message, whichever of the three APIs it came through.
struct ChatRequest : GenerationRequest {
    // max_tokens of the base is what was asked for; 0: as many as the context has room for.
    Conversation conversation;
    ToolChoice tool_choice;  // automatic if there are tools and nothing is said; else none.
    bool parallel_tool_calls = true;  // False: one call at most is answered.
    bool include_reasoning = true;    // False: the thought is dropped.
    bool echo = false;                // The last message's text stands before the answer.
    bool add_special_tokens = false;  // A second begin token, for those who ask for it.
};

// The body of POST /v1/chat/completions. Names, defaults and errors are vLLM's.
std::variant<ChatRequest, RequestError> parse_chat_request(std::string_view body,
                                                           const RequestRules& rules);

// `messages`, `tools`, `tool_choice`, the switches of thinking: what /tokenize reads, too. Errors
// stay in the body.
Conversation read_conversation(BodyReader& body);

// Whether prompt and output fit; max_tokens 0 becomes what is left.
std::optional<RequestError> settle_length(ChatRequest& request, int64_t prompt_tokens,
                                          int64_t max_model_len);

}  // namespace fathom::api
