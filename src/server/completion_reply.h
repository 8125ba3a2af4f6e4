#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/completion_request.h"
#include "api/completion_response.h"
#include "engine/request.h"
#include "server/served_model.h"
#include "text/detokenizer.h"
#include "text/stop_strings.h"

namespace fathom {

// One choice of an answer as it grows: tokens become text, text ends at stop strings.
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

private:
    // The text that a token adds; counts it.
    std::string text_of(Token token);

    const int index_;
    const int64_t min_tokens_;
    const bool keep_stop_;  // include_stop_str_in_output
    const bool return_token_ids_;
    Detokenizer detokenizer_;
    StopStrings stops_;
    int64_t tokens_ = 0;
    bool finished_ = false;
};

// The answer to one POST /v1/completions: prompts * n choices, streamed or whole. I/O thread.
struct CompletionReply {
    CompletionReply(const ServedModel& model, api::CompletionRequest request,
                    std::vector<std::vector<Token>> prompts, std::string id);

    int64_t num_choices() const { return std::ssize(choices); }
    const std::vector<Token>& prompt_of(int64_t choice) const {
        return prompts[choice / request.n];
    }
    api::Usage usage() const;
    // Of one choice alone: what continuous_usage_stats shows in its chunks.
    api::Usage usage_of(int64_t choice) const;
    // Appends a piece to the whole answer of a choice.
    void collect(const api::CompletionChoice& piece);

    const api::CompletionRequest request;
    const std::vector<std::vector<Token>> prompts;
    const api::CompletionHead head;
    std::vector<ChoiceText> choices;
    std::vector<api::CompletionChoice> whole;  // Not streamed: what has come so far.
    std::vector<bool> begun;                   // Streamed: the first chunk went out.
    std::vector<uint64_t> engine_ids;          // By choice.
    int64_t unfinished;
};

}  // namespace fathom
