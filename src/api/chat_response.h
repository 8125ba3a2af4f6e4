#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/ending.h"
#include "api/logprobs.h"
#include "api/usage.h"
#include "base/token.h"
#include "text/conversation.h"
#include "text/reply_parser.h"

namespace fathom::api {

// What all pieces of one chat answer share.
struct ChatHead {
    std::string id;       // "chatcmpl-..."
    int64_t created = 0;  // Unix time, s.
    std::string model;    // The first served name.
    std::string role = "assistant";
    int64_t top_logprobs = 0;  // Of each token, where logprobs are written; -1: all
};

// One whole choice.
struct ChatMessageOut {
    int index = 0;
    std::optional<std::string> content, reasoning;  // None: null.
    std::vector<ToolCall> calls;
    Ending ending;
    std::optional<std::vector<ShownLogprobs>> logprobs;
    std::optional<std::vector<Token>> token_ids;
};

// What of the prompt the whole answer repeats.
struct ChatPromptOut {
    std::optional<std::vector<LogprobRow>> logprobs;
    std::optional<std::vector<Token>> token_ids;
};

// Source: vLLM's ChatCompletionResponse (0.13); a list of no calls is left out, as it has become.
std::string chat_json(const ChatHead& head, const std::vector<ChatMessageOut>& choices,
                      const ChatPromptOut& prompt, const Usage& usage);

// What one event of a stream adds to a choice.
struct ChatDelta {
    int index = 0;
    std::string delta = "{}";  // One of the three below.
    Ending ending;
    std::optional<std::vector<ShownLogprobs>> logprobs;
    std::optional<std::vector<Token>> token_ids;
    std::optional<std::vector<Token>> prompt_token_ids;  // With the first of a choice.
};

std::string role_delta(const std::string& role);
// A piece of the reply; call_id: of a call_begin.
std::string piece_delta(const ReplyPiece& piece, const std::string& call_id);

std::string chat_chunk_json(const ChatHead& head, const ChatDelta& delta,
                            const std::optional<Usage>& usage);
// The last event before "[DONE]" with include_usage: no choices.
std::string chat_usage_json(const ChatHead& head, const Usage& usage);

}  // namespace fathom::api
