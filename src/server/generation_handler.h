#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "http/server.h"
#include "http/worker_pool.h"
#include "server/metrics.h"
#include "server/reply.h"
#include "server/served_model.h"
#include "server/timeline.h"

namespace fathom {

// The way of every request with a body: a worker reads it, its choices (if any) go to the engine,
// and what comes back goes to its reply; on the way it is counted. Knows no endpoint. All calls on
// the I/O thread.
class GenerationHandler {
public:
    // What an endpoint makes of a body, on a worker: the reply, or why there is none. A pure
    // function of its arguments.
    using Prepare = ReplyOrError (*)(const ServedModel&, const std::string& body,
                                     const RequestInfo&);

    GenerationHandler(const ServedModel& model, http::Server& server, http::WorkerPool& workers,
                      Engine& engine, Metrics& metrics);

    void on_request(http::Exchange& http, Prepare prepare);
    // What the engine's sink was given, posted to the I/O thread.
    void on_events(std::vector<TokenEvent> events);
    void on_disconnect(uint64_t exchange);

    int64_t open_replies() const { return std::ssize(replies_); }

private:
    struct Open {
        std::unique_ptr<Reply> reply;
        std::vector<uint64_t> engine_ids;  // By choice.
        int64_t unfinished = 0;
        int64_t most_generated = 0;  // Tokens of its longest choice.
    };
    struct Choice {
        uint64_t exchange;
        int64_t index;
        Metrics::Choice counts;
        Timeline timeline;
    };

    void start(uint64_t exchange, ReplyOrError prepared);
    Status submit(Open& open, uint64_t exchange, Clock::time_point arrived);
    void on_event(TokenEvent event);
    void count(Choice& choice, const TokenEvent& event);
    // The choice is over: counted and forgotten.
    void end_choice(uint64_t id, Open& open, FinishReason reason);
    void cancel(Open& open, FinishReason reason);

    const ServedModel& model_;
    http::Server& server_;
    http::WorkerPool& workers_;
    Engine& engine_;
    Metrics& metrics_;
    std::unordered_map<uint64_t, Open> replies_;    // By exchange.
    std::unordered_map<uint64_t, Choice> choices_;  // By the engine's id; only unfinished.
    uint64_t next_id_ = 1;
};

}  // namespace fathom
