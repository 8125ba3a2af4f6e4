#pragma once

#include <unordered_map>
#include <variant>

#include "engine/engine.h"
#include "http/server.h"
#include "http/worker_pool.h"
#include "server/completion_reply.h"

namespace fathom {

// POST /v1/completions. Bodies are parsed and tokenized by the workers; requests go to the engine,
// its tokens come back as events and leave as text. All calls on the I/O thread.
class CompletionHandler {
public:
    CompletionHandler(const ServedModel& model, http::Server& server, http::WorkerPool& workers,
                      Engine& engine);

    void on_request(http::Exchange& exchange);
    // What the engine's sink was given, posted to the I/O thread.
    void on_events(const std::vector<TokenEvent>& events);
    void on_disconnect(uint64_t exchange);

    int64_t open_replies() const { return std::ssize(replies_); }

private:
    struct Prepared {
        api::CompletionRequest request;
        std::vector<std::vector<Token>> prompts;
    };
    using PreparedOrError = std::variant<Prepared, api::RequestError>;
    struct Choice {
        uint64_t exchange;
        int64_t index;
    };

    // On a worker; a pure function of the body.
    static PreparedOrError prepare(const ServedModel& model, const std::string& body);

    void start(uint64_t exchange, PreparedOrError prepared);
    Status submit(CompletionReply& reply, uint64_t exchange);
    void on_event(const TokenEvent& event);
    void show(http::Exchange& http, CompletionReply& reply, const api::CompletionChoice& piece);
    void finish(http::Exchange& http, CompletionReply& reply);
    void cancel(CompletionReply& reply);

    const ServedModel& model_;
    http::Server& server_;
    http::WorkerPool& workers_;
    Engine& engine_;
    std::unordered_map<uint64_t, CompletionReply> replies_;  // By exchange.
    std::unordered_map<uint64_t, Choice> choices_;           // By the engine's id; only unfinished.
    uint64_t next_id_ = 1;
};

// Answers with the error of the request, and CORS.
void refuse(http::Exchange& http, const api::RequestError& error);

// Sent with every answer: any page may call the server.
const std::vector<http::Header>& cors_headers();

}  // namespace fathom
