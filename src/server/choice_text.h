#pragma once

#include <cstdint>

#include "api/completion_request.h"
#include "api/completion_response.h"
#include "engine/request.h"
#include "server/served_model.h"
#include "server/shown_tokens.h"
#include "text/detokenizer.h"
#include "text/stop_strings.h"

namespace fathom {

// One choice of a completion as it grows: tokens become text, text ends at stop strings.
class ChoiceText {
public:
    ChoiceText(const ServedModel& model, const api::CompletionRequest& request, int index);

    // Takes what a step drew, and returns what the client is told. finish_reason is set on the
    // last; nothing may follow it.
    api::CompletionChoice take(const TokenEvent& event);

    bool finished() const { return finished_; }
    // Whether a stop string ended it: the engine goes on and must be told.
    bool stopped_by_text() const { return stops_.matched().has_value(); }
    int64_t tokens() const { return tokens_; }
    int64_t cached_tokens() const { return cached_tokens_; }

private:
    void take_token(const TokenEvent& event, size_t i, api::CompletionChoice& piece);

    const int index_;
    const int64_t min_tokens_;
    const bool keep_stop_;  // include_stop_str_in_output
    const bool return_token_ids_;
    const bool logprobs_;
    const bool prompt_only_;  // max_tokens 0: what is drawn is not shown.
    const ShownTokens shown_;
    Detokenizer detokenizer_;
    StopStrings stops_;
    int64_t tokens_ = 0;
    int64_t cached_tokens_ = 0;
    bool finished_ = false;
};

}  // namespace fathom
