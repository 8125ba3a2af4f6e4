#include "server/choice_text.h"

#include "base/check.h"
#include "server/reply.h"

namespace fathom {

ChoiceText::ChoiceText(const ServedModel& model, const api::CompletionRequest& request, int index)
    : index_(index),
      min_tokens_(request.min_tokens),
      keep_stop_(request.include_stop_str_in_output),
      return_token_ids_(request.return_token_ids),
      logprobs_(request.logprobs.has_value()),
      prompt_only_(request.max_tokens == 0),
      shown_(*model.tokenizer, request.return_tokens_as_token_ids),
      detokenizer_(*model.tokenizer, request.skip_special_tokens),
      stops_(request.stop, request.include_stop_str_in_output) {}

// The token that ends a choice has no text of its own, unless asked for.
void ChoiceText::take_token(const TokenEvent& event, size_t i, api::CompletionChoice& piece) {
    ++tokens_;
    const Token token = event.tokens[i];
    if (return_token_ids_) piece.token_ids->push_back(token);
    if (logprobs_ && i < event.logprobs.size())
        piece.logprobs->emplace_back().logprobs = shown_.logprobs(event.logprobs[i]);
    const bool ends = event.finish == FinishReason::stop && i + 1 == event.tokens.size();
    if (ends && !keep_stop_) return;
    piece.text += stops_.push(detokenizer_.push(token), tokens_ >= min_tokens_);
}

api::CompletionChoice ChoiceText::take(const TokenEvent& event) {
    CHECK(!finished_, "a token after the end of choice ", index_);
    cached_tokens_ = event.cached_tokens;
    api::CompletionChoice piece{.index = index_};
    if (return_token_ids_) piece.token_ids.emplace();
    if (logprobs_) piece.logprobs.emplace();
    if (prompt_only_) {
        piece.ending.finish_reason = name_of(
            event.finish == FinishReason::abort ? FinishReason::abort : FinishReason::length);
        finished_ = true;
        return piece;
    }
    for (size_t i = 0; i < event.tokens.size() && !stopped_by_text(); ++i)
        take_token(event, i, piece);
    if (stopped_by_text()) {
        piece.ending.finish_reason = name_of(FinishReason::stop);
        piece.ending.stop_reason = *stops_.matched();
    } else if (event.finish != FinishReason::none) {
        piece.text += stops_.push(detokenizer_.flush(), tokens_ >= min_tokens_);
        if (!stopped_by_text()) piece.text += stops_.flush();
        piece.ending.finish_reason = name_of(event.finish);
        if (event.stop_token) piece.ending.stop_reason = *event.stop_token;
    }
    finished_ = !piece.ending.finish_reason.empty();
    return piece;
}

}  // namespace fathom
