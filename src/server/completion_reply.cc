#include "server/completion_reply.h"

#include <ctime>
#include <numeric>

namespace fathom {
namespace {

const char* name_of(FinishReason reason) {
    switch (reason) {
        case FinishReason::none: return "";
        case FinishReason::stop: return "stop";
        case FinishReason::length: return "length";
        case FinishReason::abort: return "abort";
        case FinishReason::error: return "error";
    }
    CHECK(false, "finish reason ", static_cast<int>(reason));
}

}  // namespace

ChoiceText::ChoiceText(const ServedModel& model, const api::CompletionRequest& request, int index)
    : index_(index),
      min_tokens_(request.min_tokens),
      keep_stop_(request.include_stop_str_in_output),
      return_token_ids_(request.return_token_ids),
      detokenizer_(*model.tokenizer, request.skip_special_tokens),
      stops_(request.stop, request.include_stop_str_in_output) {}

std::string ChoiceText::text_of(Token token) {
    ++tokens_;
    return stops_.push(detokenizer_.push(token), tokens_ >= min_tokens_);
}

api::CompletionChoice ChoiceText::take(const TokenEvent& event) {
    CHECK(!finished_, "a token after the end of choice ", index_);
    api::CompletionChoice piece{.index = index_};
    if (return_token_ids_) piece.token_ids.emplace();
    const bool stopped = event.finish == FinishReason::stop;
    for (size_t i = 0; i < event.tokens.size() && !stopped_by_text(); ++i) {
        if (return_token_ids_) piece.token_ids->push_back(event.tokens[i]);
        // The token that ends it has no text of its own, unless asked for.
        if (stopped && i + 1 == event.tokens.size() && !keep_stop_) {
            ++tokens_;
            break;
        }
        piece.text += text_of(event.tokens[i]);
    }
    if (stopped_by_text()) {
        piece.finish_reason = name_of(FinishReason::stop);
        piece.stop_reason = *stops_.matched();
    } else if (event.finish != FinishReason::none) {
        piece.text += stops_.push(detokenizer_.flush(), tokens_ >= min_tokens_);
        if (!stopped_by_text()) piece.text += stops_.flush();
        piece.finish_reason = name_of(event.finish);
        if (event.stop_token) piece.stop_reason = *event.stop_token;
    }
    finished_ = !piece.finish_reason.empty();
    return piece;
}

CompletionReply::CompletionReply(const ServedModel& model, api::CompletionRequest r,
                                 std::vector<std::vector<Token>> p, std::string id)
    : request(std::move(r)),
      prompts(std::move(p)),
      head{.id = std::move(id), .created = std::time(nullptr), .model = model.names[0]},
      unfinished(std::ssize(prompts) * request.n) {
    for (int i = 0; i < unfinished; ++i) {
        choices.emplace_back(model, request, i);
        whole.push_back({.index = i});
        if (!request.return_token_ids) continue;
        whole.back().token_ids.emplace();
        whole.back().prompt_token_ids = prompt_of(i);
    }
    begun.resize(unfinished);
    engine_ids.reserve(unfinished);
}

api::Usage CompletionReply::usage() const {
    api::Usage usage;
    for (const std::vector<Token>& prompt : prompts) usage.prompt_tokens += std::ssize(prompt);
    for (const ChoiceText& choice : choices) usage.completion_tokens += choice.tokens();
    return usage;
}

api::Usage CompletionReply::usage_of(int64_t choice) const {
    return {.prompt_tokens = std::ssize(prompt_of(choice)),
            .completion_tokens = choices[choice].tokens()};
}

void CompletionReply::collect(const api::CompletionChoice& piece) {
    api::CompletionChoice& all = whole[piece.index];
    all.text += piece.text;
    if (piece.token_ids)
        all.token_ids->insert(all.token_ids->end(), piece.token_ids->begin(),
                              piece.token_ids->end());
    all.finish_reason = piece.finish_reason;
    all.stop_reason = piece.stop_reason;
}

}  // namespace fathom
