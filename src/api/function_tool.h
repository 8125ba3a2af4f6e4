#pragma once

#include <optional>
#include <vector>

#include "api/body_reader.h"
#include "api/chat_request.h"
#include "text/conversation.h"

namespace fathom::api {

// A function as Responses and Messages describe one: name, description, a schema, strict. In the
// prompt it stands as a chat's function object with the same name, description and parameters.
//   schema    the field with the JSON schema of the arguments
Tool read_function_tool(BodyReader& tool, const char* schema);

// Refuses a choice that has nothing to choose from.
void check_tool_choice(BodyReader& body, const ToolChoice& choice, const std::vector<Tool>& tools);

// What chat_template_kwargs says of thinking: {"thinking": true} or {"enable_thinking": true}.
std::optional<bool> read_thinking_kwargs(BodyReader& body);

// Refuses what an answer that is one message in items has no place for: several choices, prompt
// logprobs, token ids.
void check_one_message(BodyReader& body, const ChatRequest& request);

}  // namespace fathom::api
