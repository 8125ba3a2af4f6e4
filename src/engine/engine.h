#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "engine/engine_stats.h"
#include "engine/inbox.h"
#include "engine/scheduler.h"
#include "engine/step_runner.h"

namespace fathom {

// Owns all state that serving changes, and the one thread that may touch it. Requests and
// cancellations come in through a bounded inbox, tokens go out through the sink.
class Engine {
public:
    // Called on the engine thread with the events of a step; must not block.
    using Sink = std::function<void(std::vector<TokenEvent>)>;

    // `seed` (--seed) starts the generator that seeds requests which bring no seed of their own.
    Engine(SchedulerOptions options, std::unique_ptr<StepRunner> runner, Sink sink, uint64_t seed);
    ~Engine();  // As stop().
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Any thread, never waits. overloaded: limits.waiting_max requests wait already; unavailable:
    // the engine is stopping, or has failed; invalid_argument: longer than a sequence may be. Once
    // accepted, the last event of the request has a finish reason, unless it is cancelled.
    Status submit(Request request);
    // Any thread, never refused. Frees the request's blocks before the next step; no event follows
    // but those on their way. Ids that are gone already are ignored.
    void cancel(uint64_t id);
    // Forgets the cached prefixes that no sequence uses, before the next step.
    void reset_prefix_cache();

    // Refuses new requests and waits until the running ones have ended, at most so long. True if
    // all did.
    bool drain(std::chrono::milliseconds at_most);
    // Ends what is left with FinishReason::abort and joins the thread.
    void stop();

    // Any thread. False from the moment that a step fails: all requests end with
    // FinishReason::error, and no other is accepted. There is no way back.
    bool healthy() const { return healthy_; }
    EngineStats stats() const;
    // Draws a seed for a request without one. Any thread; the order of calls decides.
    uint64_t draw_seed();

private:
    void loop();
    void receive(Inbox::Mail mail);
    void run_once();
    void stamp(const Batch& batch, Clock::time_point now);
    void fail(const Error& why);
    void end_all(FinishReason reason);
    void publish_stats();

    const SchedulerOptions options_;
    const Sink sink_;
    const uint64_t seed_;
    std::atomic<uint64_t> seeds_drawn_{0};
    Inbox inbox_;

    // Engine thread.
    BlockPool pool_;
    Scheduler scheduler_;
    const std::unique_ptr<StepRunner> runner_;
    StepResult result_;
    int64_t steps_ = 0;
    StepTokens step_tokens_;

    std::atomic<bool> healthy_{true};
    mutable std::mutex stats_mutex_;
    EngineStats stats_;  // Guarded by it: what the engine thread published last.

    std::thread thread_;
};

}  // namespace fathom
