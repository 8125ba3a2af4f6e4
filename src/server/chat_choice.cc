#include "server/chat_choice.h"

#include <algorithm>
#include <span>

#include "server/reply.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// Every function of the conversation: of the request, and of its system and developer messages.
std::vector<Tool> all_tools(const Conversation& conversation) {
    std::vector<Tool> tools = conversation.tools;
    for (const ChatMessage& message : conversation.messages)
        tools.insert(tools.end(), message.tools.begin(), message.tools.end());
    return tools;
}

ReplyParserOptions parser_options(const api::ChatRequest& request, bool in_reasoning) {
    return {.in_reasoning = in_reasoning,
            .parse_calls = request.tool_choice.kind != api::ToolChoice::Kind::none,
            .tools = all_tools(request.conversation),
            .stop = request.stop,
            .include_stop_str_in_output = request.include_stop_str_in_output,
            .skip_special_tokens = request.skip_special_tokens};
}

}  // namespace

ChatChoice::ChatChoice(const ServedModel& model, const api::ChatRequest& request, bool in_reasoning)
    : min_tokens_(request.min_tokens),
      keep_stop_(request.include_stop_str_in_output),
      logprobs_(request.logprobs.has_value()),
      one_call_(!request.parallel_tool_calls),
      hide_reasoning_(!request.include_reasoning),
      calls_end_as_stop_(request.tool_choice.kind == api::ToolChoice::Kind::named),
      shown_(*model.tokenizer, request.return_tokens_as_token_ids),
      parser_(*model.tokenizer, parser_options(request, in_reasoning)),
      in_reasoning_(in_reasoning),
      think_end_(model.tokenizer->added_token("</think>")) {}

void ChatChoice::take_token(const TokenEvent& event, size_t i, ChatStep& step) {
    ++tokens_;
    const Token token = event.tokens[i];
    if (in_reasoning_) ++reasoning_tokens_;
    if (token == think_end_) in_reasoning_ = false;
    step.token_ids.push_back(token);
    if (logprobs_ && i < event.logprobs.size())
        step.logprobs.push_back(shown_.logprobs(event.logprobs[i]));
    // The end token is never shown; a stop token where that was asked for.
    const bool ends = event.finish == FinishReason::stop && i + 1 == event.tokens.size();
    if (ends && !(keep_stop_ && event.stop_token)) return;
    parser_.push(token, tokens_ >= min_tokens_, step.pieces);
}

ChatStep ChatChoice::take(const TokenEvent& event) {
    cached_tokens_ = event.cached_tokens;
    ChatStep step;
    for (size_t i = 0; i < event.tokens.size() && !parser_.stopped(); ++i)
        take_token(event, i, step);
    if (event.finish != FinishReason::none || parser_.stopped()) {
        step.call_cut = parser_.call_open();
        parser_.finish(step.pieces);
        step.ending = ending(event);
    }
    std::erase_if(step.pieces, [this](const ReplyPiece& piece) { return !is_shown(piece); });
    return step;
}

bool ChatChoice::is_shown(const ReplyPiece& piece) const {
    if (piece.kind == ReplyPiece::Kind::reasoning) return !hide_reasoning_;
    return !one_call_ || piece.call <= 0;
}

api::Ending ChatChoice::ending(const TokenEvent& event) const {
    api::Ending ending;
    if (parser_.stopped()) {
        ending.finish_reason = name_of(FinishReason::stop);
        ending.stop_reason = *parser_.stopped();
    } else {
        ending.finish_reason = name_of(event.finish);
        if (event.stop_token) ending.stop_reason = *event.stop_token;
    }
    const bool stopped = ending.finish_reason == name_of(FinishReason::stop);
    if (stopped && parser_.calls() > 0 && !calls_end_as_stop_) ending.finish_reason = "tool_calls";
    return ending;
}

void ChatCollector::add(ChatStep step) {
    for (ReplyPiece& piece : step.pieces) switch (piece.kind) {
            case ReplyPiece::Kind::reasoning: reasoning_ += piece.text; break;
            case ReplyPiece::Kind::content: content_ += piece.text; break;
            case ReplyPiece::Kind::call_begin:
                calls_.push_back({.id = new_call_id(), .name = piece.text, .arguments = ""});
                break;
            case ReplyPiece::Kind::call_arguments: calls_.at(piece.call).arguments += piece.text;
        }
    std::ranges::move(step.logprobs, std::back_inserter(logprobs_));
    std::ranges::move(step.token_ids, std::back_inserter(token_ids_));
    ending_ = std::move(step.ending);
    call_cut_ = step.call_cut;
}

void ChatCollector::drop_cut_call(const Tokenizer& tokenizer) {
    if (!call_cut_ || calls_.empty()) return;
    calls_.pop_back();
    if (!calls_.empty()) return;
    const std::optional<Token> think_end = tokenizer.added_token("</think>");
    auto begin = token_ids_.begin();
    if (think_end)
        if (const auto at = std::ranges::find(token_ids_, *think_end); at != token_ids_.end())
            begin = at + 1;
    content_ = to_valid_utf8(tokenizer.decode(std::span(begin, token_ids_.end())));
}

api::ChatMessageOut ChatCollector::message(int index, const api::ChatRequest& request,
                                           bool thinking, const Tokenizer& tokenizer) && {
    drop_cut_call(tokenizer);
    api::ChatMessageOut message{.index = index};
    const bool named = request.tool_choice.kind == api::ToolChoice::Kind::named;
    if (!content_.empty() || named || (!thinking && calls_.empty()))
        message.content = std::move(content_);
    if (!reasoning_.empty()) message.reasoning = std::move(reasoning_);
    message.calls = std::move(calls_);
    message.ending = std::move(ending_);
    if (request.logprobs) message.logprobs = std::move(logprobs_);
    if (request.return_token_ids) message.token_ids = std::move(token_ids_);
    return message;
}

std::string new_call_id() { return "call_" + random_hex(24); }

}  // namespace fathom
