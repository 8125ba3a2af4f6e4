#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/answer_item.h"
#include "api/error.h"
#include "api/usage.h"

namespace fathom::api {

// What all forms of one answer of POST /v1/messages share.
struct MessageHead {
    std::string id;     // "msg_..."
    std::string model;  // The first served name.
};

// Why a message ended. Empty: it goes on.
struct MessageStop {
    std::string reason;    // "end_turn", "max_tokens", "stop_sequence", "tool_use", ...
    std::string sequence;  // stop_sequence: which
};

// The whole message. Usage: cached tokens are told beside input_tokens and not in them.
// Source: anthropic-sdk-python's types.Message.
std::string message_json(const MessageHead& head, const std::vector<AnswerItem>& blocks,
                         const MessageStop& stop, const Usage& usage);

// The events of a stream, each sent under its name.
std::string message_start_json(const MessageHead& head, const Usage& usage);
// content_block_start; the block is empty.
std::string block_start_json(const AnswerItem& block, size_t index);
// content_block_delta: what has come.
std::string block_delta_json(const AnswerItem& block, size_t index, const std::string& text);
// content_block_delta of a thought that has ended: nothing signs it.
std::string signature_delta_json(size_t index);
std::string block_stop_json(size_t index);
// message_delta: why it ended, and the usage of all of it.
std::string message_delta_json(const MessageStop& stop, const Usage& usage);
std::string message_stop_json();

// {"input_tokens":...}
std::string count_tokens_json(int64_t tokens);

// {"type":"error","error":{"type":...,"message":...}}: the body of an answer with error.status, or
// the event "error".
std::string message_error_json(const RequestError& error);

}  // namespace fathom::api
