#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/completion_request.h"
#include "api/completion_response.h"
#include "server/choice_text.h"
#include "server/reply.h"
#include "server/served_model.h"

namespace fathom {

// The answer to one POST /v1/completions: prompts * n choices, streamed or whole.
class CompletionReply final : public Reply {
public:
    // The body, read, tokenized and checked. On a worker.
    static ReplyOrError prepare(const ServedModel& model, const std::string& body,
                                const RequestInfo& info);

    std::vector<Request> take_requests() override { return std::move(requests_); }
    std::optional<uint64_t> seed() const override;
    void begin(http::Exchange& http) override;
    bool take(int64_t index, TokenEvent event, http::Exchange& http) override;
    void finish(http::Exchange& http) override;
    void fail(http::Exchange& http, const api::RequestError& error) override;

private:
    // One choice, and what of it waits to be sent.
    struct Choice {
        Choice(const ServedModel& model, const api::CompletionRequest& request, int index)
            : text(model, request, index), whole{.index = index} {}
        ChoiceText text;
        api::CompletionChoice whole;  // Not streamed: what has come so far.
        bool begun = false;
        int64_t text_offset = 0;  // Streamed: characters of the tokens that logprobs were sent of.
    };

    CompletionReply(const ServedModel& model, api::CompletionRequest request,
                    std::vector<std::vector<Token>> prompts, std::vector<std::string> echoes,
                    std::string id);

    const std::vector<Token>& prompt_of(int64_t choice) const { return prompts_[choice / n()]; }
    int64_t n() const { return request_.n; }
    api::Usage usage() const;
    // Of one choice alone: what continuous_usage_stats shows in its chunks.
    api::Usage usage_of(int64_t choice) const;
    // What stands before the first piece of a choice: the prompt, where it is echoed.
    void prepend_prompt(api::CompletionChoice& piece, const TokenEvent& event) const;
    void send(Choice& choice, api::CompletionChoice piece, http::Exchange& http);
    static void collect(api::CompletionChoice& whole, api::CompletionChoice piece);

    const ServedModel& model_;
    const api::CompletionRequest request_;
    const std::vector<std::vector<Token>> prompts_;
    const std::vector<std::string> echoes_;  // By prompt; empty without echo.
    const std::string head_;                 // CompletionHead::json()
    std::vector<Request> requests_;
    std::vector<Choice> choices_;
};

}  // namespace fathom
