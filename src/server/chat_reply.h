#pragma once

#include <string>
#include <vector>

#include "api/chat_response.h"
#include "server/chat_choice.h"
#include "server/prepared_chat.h"
#include "server/reply.h"

namespace fathom {

// The answer to one POST /v1/chat/completions: n choices, streamed or whole.
class ChatReply final : public Reply {
public:
    // The body, read, written as a prompt and checked. On a worker.
    static ReplyOrError prepare(const ServedModel& model, const std::string& body,
                                const RequestInfo& info);

    std::vector<Request> take_requests() override { return std::move(chat_.requests); }
    std::optional<uint64_t> seed() const override;
    void begin(http::Exchange& http) override;
    bool take(int64_t index, TokenEvent event, http::Exchange& http) override;
    void finish(http::Exchange& http) override;
    void fail(http::Exchange& http, const api::RequestError& error) override;

private:
    struct Choice {
        ChatChoice chat;
        ChatCollector collected = {};         // Not streamed: what has come so far.
        std::vector<std::string> calls = {};  // Streamed: the calls' ids.
        bool begun = false;
    };

    ChatReply(const ServedModel& model, PreparedChat chat, std::string id);

    void begin_choice(int64_t index, http::Exchange& http);
    void send(int64_t index, ChatStep step, http::Exchange& http);
    void send_delta(api::ChatDelta delta, http::Exchange& http);
    // The text that the answer repeats of the last message, with echo.
    std::string echoed() const;
    api::Usage usage() const;

    const ServedModel& model_;
    PreparedChat chat_;
    const api::ChatRequest& request_;  // Of chat_.
    const api::ChatHead head_;
    std::vector<Choice> choices_;
    api::ChatPromptOut prompt_;
};

}  // namespace fathom
