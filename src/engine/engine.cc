#include "engine/engine.h"

#include <random>

#include "base/trace.h"

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
      runner_(std::move(runner)),
      thread_([this] { loop(); }) {}

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
    inbox_.close();
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
    return {.running = running_,
            .waiting = waiting_,
            .blocks = options_.limits.num_blocks,
            .blocks_used = blocks_used_,
            .steps = steps_,
            .preemptions = preemptions_,
            .prompt_tokens = prompt_tokens_,
            .generated_tokens = generated_tokens_};
}

void Engine::loop() {
    for (;;) {
        Inbox::Mail mail = inbox_.take(scheduler_.idle());
        const bool stopping = mail.stopping;
        receive(std::move(mail));
        if (stopping) break;
        if (!scheduler_.idle()) run_once();
        publish_stats();
    }
    std::vector<TokenEvent> aborted;
    for (uint64_t id : scheduler_.ids()) {
        aborted.push_back({.id = id, .tokens = {}, .finish = FinishReason::abort});
        scheduler_.cancel(id);
    }
    if (!aborted.empty()) sink_(std::move(aborted));
    publish_stats();
}

void Engine::receive(Inbox::Mail mail) {
    for (Request& request : mail.requests) {
        prompt_tokens_ += std::ssize(request.prompt);
        scheduler_.add(std::move(request));
    }
    for (uint64_t id : mail.cancelled) scheduler_.cancel(id);
    if (mail.reset_prefix_cache) pool_.forget_free();
}

// One step: batch to the runner, tokens back, events out.
void Engine::run_once() {
    const Batch& batch = scheduler_.step();
    const trace::Span span("step", std::ssize(batch.items));
    publish_stats();  // Before the step, which may take long: there is room for newcomers now.
    result_.clear();
    runner_->run(batch, result_);
    std::vector<TokenEvent> events = scheduler_.commit(result_);
    for (const TokenEvent& event : events) generated_tokens_ += std::ssize(event.tokens);
    ++steps_;
    if (!events.empty()) sink_(std::move(events));
}

void Engine::publish_stats() {
    inbox_.set_waiting(scheduler_.waiting());
    running_ = scheduler_.running();
    waiting_ = scheduler_.waiting();
    blocks_used_ = pool_.num_blocks() - pool_.num_free();
    preemptions_ = scheduler_.preemptions();
}

}  // namespace fathom
