#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "api/chat_request.h"

namespace fathom::api {

// The body of POST /v1/responses: the part of OpenAI's Responses that needs nothing kept between
// requests.
struct ResponsesRequest {
    ChatRequest chat;
    // What the answer repeats of the request, as members of a JSON object:
    // `"background":false,"instructions":null,...`.
    std::string echo;
};

// What would need stored answers, a tool that OpenAI runs, or another sense than text is refused
// by name. Sampling fields of vLLM beyond OpenAI's are understood, too.
std::variant<ResponsesRequest, RequestError> parse_responses_request(std::string_view text,
                                                                     const RequestRules& rules);

}  // namespace fathom::api
