#pragma once

#include <string>

#include "api/messages_response.h"
#include "server/item_reply.h"

namespace fathom {

// The answer to one POST /v1/messages, streamed or whole. A stream is events in Anthropic's order:
// docs/apis.md.
class MessagesReply final : public ItemReply {
public:
    // The body, read, written as a prompt and checked. On a worker.
    static ReplyOrError prepare(const ServedModel& model, const std::string& body,
                                const RequestInfo& info);
    // POST /v1/messages/count_tokens: the prompt's length.
    static ReplyOrError prepare_count(const ServedModel& model, const std::string& body,
                                      const RequestInfo& info);

    void finish(http::Exchange& http) override;
    void fail(http::Exchange& http, const api::RequestError& error) override;

private:
    MessagesReply(const ServedModel& model, PreparedChat chat, api::MessageHead head,
                  bool limited_by_context);

    void on_first(http::Exchange& http) override;
    void on_open(http::Exchange& http) override;
    void on_text(const std::string& text, http::Exchange& http) override;
    void on_close(http::Exchange& http) override;

    api::MessageStop stop() const;

    const api::MessageHead head_;
    const bool limited_by_context_;  // There is room for less than max_tokens.
};

}  // namespace fathom
