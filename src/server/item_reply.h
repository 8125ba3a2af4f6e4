#pragma once

#include <string>
#include <variant>
#include <vector>

#include "api/answer_item.h"
#include "api/chat_response.h"
#include "server/chat_choice.h"
#include "server/prepared_chat.h"
#include "server/reply.h"

namespace fathom {

// The answer of an API that tells a reply as a list of items, each a thought, a text or a call: one
// choice, whose pieces are sorted into items here. What is sent of them is up to the API.
class ItemReply : public Reply {
public:
    std::vector<Request> take_requests() final { return std::move(chat_.requests); }
    std::optional<uint64_t> seed() const final;
    void begin(http::Exchange& http) override;
    bool take(int64_t choice, TokenEvent event, http::Exchange& http) final;

protected:
    // call_prefix: of the ids of calls, as the API has them.
    ItemReply(const ServedModel& model, PreparedChat chat, const char* call_prefix);

    // Called where the answer is streamed; items().back() is what it is about.
    virtual void on_first(http::Exchange& http) = 0;  // The engine's first word has come.
    virtual void on_open(http::Exchange& http) = 0;
    virtual void on_text(const std::string& text, http::Exchange& http) = 0;
    virtual void on_close(http::Exchange& http) = 0;
    // The reply has ended, before its last item is closed: there may be one more to begin.
    virtual void on_end(http::Exchange&) {}

    void open(api::AnswerItem item, http::Exchange& http);
    void close(http::Exchange& http);

    const api::ChatRequest& request() const { return chat_.request; }
    const std::vector<api::AnswerItem>& items() const { return items_; }
    bool has_calls() const;
    const api::Ending& ending() const { return ending_; }  // Empty until it has ended.
    bool is_cut() const;  // It ended for want of tokens, or with the server.
    api::Usage usage() const;

private:
    void add(const ReplyPiece& piece, http::Exchange& http);

    PreparedChat chat_;
    ChatChoice choice_;
    const char* const call_prefix_;
    std::vector<api::AnswerItem> items_;
    api::Ending ending_;
    bool begun_ = false;
};

// A chat whose max_tokens is a limit and no demand: the context may have room for less.
std::variant<PreparedChat, api::RequestError> prepare_limited_chat(const ServedModel& model,
                                                                   api::ChatRequest request);

}  // namespace fathom
