#pragma once

#include <vector>

#include "api/body_reader.h"
#include "text/conversation.h"

namespace fathom::api {

// `input` of Responses as messages: a text is one of the user; of a list, each item is a message or
// a part of one. Thought, text and calls of the assistant that stand together are one message.
// Errors stay in the body.
std::vector<ChatMessage> read_responses_input(BodyReader& body);

}  // namespace fathom::api
