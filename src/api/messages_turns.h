#pragma once

#include <vector>

#include "api/body_reader.h"
#include "text/conversation.h"

namespace fathom::api {

// `system` and `messages` of Anthropic's API as a chat's messages. Turns of one role that follow
// each other are one turn. Of a user's turn the results of tools come first, each a message, then
// its text. Errors stay in the body.
std::vector<ChatMessage> read_messages_turns(BodyReader& body);

}  // namespace fathom::api
