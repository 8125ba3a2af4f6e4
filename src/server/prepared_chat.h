#pragma once

#include <variant>
#include <vector>

#include "api/chat_request.h"
#include "api/error.h"
#include "engine/request.h"
#include "server/served_model.h"

namespace fathom {

// A conversation on its way to the engine: what the chat endpoints have in common.
struct PreparedChat {
    api::ChatRequest request;  // max_tokens is settled.
    std::vector<Token> prompt;
    bool in_reasoning = false;      // The reply begins inside <think>.
    std::vector<Request> requests;  // One per choice.
};

// Writes the prompt, checks it against vocabulary and context, compiles what the reply is held to.
// On a worker.
std::variant<PreparedChat, api::RequestError> prepare_chat(const ServedModel& model,
                                                           api::ChatRequest request);

// The prompt's tokens; in_reasoning is set.
std::variant<std::vector<Token>, api::RequestError> chat_prompt(const ServedModel& model,
                                                                const api::ChatRequest& request,
                                                                bool& in_reasoning);

}  // namespace fathom
