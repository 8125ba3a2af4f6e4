#pragma once

#include <string_view>
#include <variant>

#include "api/chat_request.h"

namespace fathom::api {

// The body of POST /v1/messages: Anthropic's Messages, text and tools. What runs on Anthropic's
// servers, and what is no text, is refused by name. Sampling fields of vLLM are understood, too.
std::variant<ChatRequest, RequestError> parse_messages_request(std::string_view text,
                                                               const RequestRules& rules);

// The body of POST /v1/messages/count_tokens: the same conversation, and nothing of how it would be
// answered.
std::variant<ChatRequest, RequestError> parse_count_tokens_request(std::string_view text);

}  // namespace fathom::api
