#pragma once

#include <string>

#include "api/responses_response.h"
#include "server/item_reply.h"

namespace fathom {

// The answer to one POST /v1/responses, streamed or whole. A stream is events in OpenAI's order:
// docs/apis.md.
class ResponsesReply final : public ItemReply {
public:
    // The body, read, written as a prompt and checked. On a worker.
    static ReplyOrError prepare(const ServedModel& model, const std::string& body,
                                const RequestInfo& info);

    void begin(http::Exchange& http) override;
    void finish(http::Exchange& http) override;
    void fail(http::Exchange& http, const api::RequestError& error) override;

private:
    ResponsesReply(const ServedModel& model, PreparedChat chat, api::ResponseHead head);

    void on_first(http::Exchange&) override {}
    void on_open(http::Exchange& http) override;
    void on_text(const std::string& text, http::Exchange& http) override;
    void on_close(http::Exchange& http) override;
    void on_end(http::Exchange& http) override;

    void send(const char* name, const std::string& members, http::Exchange& http);
    void send_state(const char* name, const api::ResponseState& state, http::Exchange& http);
    size_t last() const { return items().size() - 1; }

    const api::ResponseHead head_;
    int64_t sequence_ = 0;  // Of the next event.
};

}  // namespace fathom
