#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/chat_request.h"
#include "api/chat_response.h"
#include "engine/request.h"
#include "server/served_model.h"
#include "server/shown_tokens.h"
#include "text/reply_parser.h"

namespace fathom {

// What a step added to a choice of a chat.
struct ChatStep {
    std::vector<ReplyPiece> pieces;
    std::vector<api::ShownLogprobs> logprobs;
    std::vector<Token> token_ids;
    api::Ending ending;
    bool call_cut = false;  // It ended inside of a call.
};

// One choice of a chat as it grows, whichever API it is told through: tokens become thought, text
// and calls.
class ChatChoice {
public:
    // in_reasoning: the prompt ended in <think>.
    ChatChoice(const ServedModel& model, const api::ChatRequest& request, bool in_reasoning);

    // Nothing may follow the step whose ending has a finish_reason.
    ChatStep take(const TokenEvent& event);

    int64_t tokens() const { return tokens_; }
    int64_t reasoning_tokens() const { return reasoning_tokens_; }
    int64_t cached_tokens() const { return cached_tokens_; }

private:
    void take_token(const TokenEvent& event, size_t i, ChatStep& step);
    api::Ending ending(const TokenEvent& event) const;
    bool is_shown(const ReplyPiece& piece) const;

    const int64_t min_tokens_;
    const bool keep_stop_;  // include_stop_str_in_output
    const bool logprobs_;
    const bool one_call_;           // parallel_tool_calls false
    const bool hide_reasoning_;     // include_reasoning false
    const bool calls_end_as_stop_;  // A named function: vLLM says "stop".
    const ShownTokens shown_;
    ReplyParser parser_;
    int64_t tokens_ = 0;
    int64_t reasoning_tokens_ = 0;
    int64_t cached_tokens_ = 0;
    bool in_reasoning_;
    const std::optional<Token> think_end_;
};

// A whole message from the steps of a choice.
class ChatCollector {
public:
    void add(ChatStep step);
    // thinking: an answer without text is null then, as it is beside calls; else "". A call that
    // was cut is none; if it is the only one, the raw answer is the text.
    api::ChatMessageOut message(int index, const api::ChatRequest& request, bool thinking,
                                const Tokenizer& tokenizer) &&;

private:
    void drop_cut_call(const Tokenizer& tokenizer);

    std::string content_, reasoning_;
    std::vector<ToolCall> calls_;
    std::vector<api::ShownLogprobs> logprobs_;
    std::vector<Token> token_ids_;
    api::Ending ending_;
    bool call_cut_ = false;
};

// "call_" and 24 hex digits.
std::string new_call_id();

}  // namespace fathom
