#include "engine/engine.h"

#include <random>

#include "base/log.h"

namespace fathom {
namespace {

// Of this process alone: nobody outside can tell which prefixes collide.
Hash128 random_key() {
    std::random_device device;
    const auto word = [&] { return uint64_t{device()} << 32 | device(); };
    return {word(), word()};
}

// SplitMix64's output function.
uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

}  // namespace

Engine::Engine(SchedulerOptions options, std::unique_ptr<StepRunner> runner, Sink sink,
               uint64_t seed)
    : options_(options),
      sink_(std::move(sink)),
      seed_(seed),
      pool_(options.limits.num_blocks, options.limits.block_tokens, random_key()),
      scheduler_(std::move(options), pool_),
      runner_(std::move(runner)) {
    publish_stats();  // All figures are there from the start.
    thread_ = std::thread([this] { loop(); });
}

Engine::~Engine() { stop(); }

Status Engine::submit(Request request) {
    if (!scheduler_.fits(request))
        return Error{
            Code::invalid_argument,
            str(request.prompt.size(), " prompt tokens and max_tokens ", request.max_tokens,
                " do not fit a sequence of ", options_.limits.sequence_tokens_max)};
    return inbox_.submit(std::move(request), options_.limits.waiting_max);
}

void Engine::cancel(uint64_t id) { inbox_.cancel(id); }
void Engine::reset_prefix_cache() { inbox_.reset_prefix_cache(); }

bool Engine::drain(std::chrono::milliseconds at_most) {
    inbox_.close("the server is shutting down");
    return inbox_.wait_idle(at_most);
}

void Engine::stop() {
    inbox_.stop();
    if (thread_.joinable()) thread_.join();
}

uint64_t Engine::draw_seed() {
    return mix(seed_ + 0x9e3779b97f4a7c15 * (1 + seeds_drawn_.fetch_add(1)));
}

EngineStats Engine::stats() const {
    const std::lock_guard lock(stats_mutex_);
    return stats_;
}

void Engine::loop() {
    for (;;) {
        Inbox::Mail mail = inbox_.take(scheduler_.idle());
        const bool stopping = mail.stopping;
        receive(std::move(mail));
        if (stopping) break;
        if (!healthy_) end_all(FinishReason::error);  // What came before the inbox was closed.
        if (!scheduler_.idle()) run_once();
        publish_stats();
    }
    end_all(FinishReason::abort);
    publish_stats();
}

void Engine::receive(Inbox::Mail mail) {
    for (Request& request : mail.requests) scheduler_.add(std::move(request));
    for (uint64_t id : mail.cancelled) scheduler_.cancel(id);
    if (mail.reset_prefix_cache) pool_.forget_free();
}

// One step: batch to the runner, tokens back, events out.
void Engine::run_once() {
    const Clock::time_point now = Clock::now();
    const Batch& batch = scheduler_.step();
    stamp(batch, now);
    publish_stats();  // Before the step, which may take long: there is room for newcomers now.
    const int num_tokens = batch.num_tokens;
    result_.clear();
    runner_->run(batch, result_);
    if (result_.fault()) return fail(*result_.fault());
    std::vector<TokenEvent> events = scheduler_.commit(result_);
    ++steps_;
    step_tokens_.add(num_tokens);
    if (!events.empty()) sink_(std::move(events));
}

void Engine::stamp(const Batch& batch, Clock::time_point now) {
    for (const Batch::Item& item : batch.items)
        if (item.sequence->begun == Clock::time_point{}) item.sequence->begun = now;
}

// Closed first: who hears of the error and tries again is refused, not ended again.
void Engine::fail(const Error& why) {
    log::error("a step failed, no more are run: ", why.message);
    healthy_ = false;
    inbox_.close(str("the engine has failed (", why.message, "); restart the server"));
    end_all(FinishReason::error);
}

void Engine::end_all(FinishReason reason) {
    std::vector<TokenEvent> events = scheduler_.end_all(reason);
    if (!events.empty()) sink_(std::move(events));
}

void Engine::publish_stats() {
    inbox_.set_waiting(scheduler_.waiting());
    const std::lock_guard lock(stats_mutex_);
    static_cast<SchedulerCounts&>(stats_) = scheduler_.counts();
    stats_.running = scheduler_.running();
    stats_.waiting = scheduler_.waiting();
    stats_.blocks = pool_.num_blocks();
    stats_.blocks_used = pool_.num_blocks() - pool_.num_free();
    stats_.steps = steps_;
    stats_.step_tokens = step_tokens_;
}

}  // namespace fathom
