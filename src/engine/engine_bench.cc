// What a step costs beside the model: scheduling, the step's input, the events. A step of V3.2
// takes some milliseconds on a GPU, so the bar is 50 us at 64 sequences.
#include <benchmark/benchmark.h>

#include <condition_variable>
#include <mutex>

#include "engine/engine.h"
#include "model/fill_input.h"
#include "tensor/buffer.h"

namespace fathom {
namespace {

constexpr int kPrompt = 4000, kNewTokens = 4000;

SchedulerOptions options(int sequences) {
    Limits limits{.batch_tokens_max = 8192,
                  .batch_sequences_max = sequences,
                  .sequence_tokens_max = kPrompt + kNewTokens};
    limits.num_blocks = sequences * limits.blocks_for(limits.sequence_tokens_max);
    return {.limits = limits, .end_tokens = {1}};
}

Request request(uint64_t id) {
    Request r{.id = id, .max_tokens = kNewTokens};
    for (int i = 0; i < kPrompt; ++i) r.prompt.push_back(static_cast<Token>(id) * kPrompt + i);
    return r;
}

// Fills the input of the step as a runner does, and draws a token without computing anything.
class NullRunner : public StepRunner {
public:
    explicit NullRunner(const Limits& limits)
        : memory_(Buffer::host(ForwardInput::bytes(limits))), in_(memory_.data(), limits) {}
    void run(const Batch& batch, StepResult& result) override {
        parts_.clear();
        for (const Batch::Item& item : batch.items)
            parts_.push_back({item.sequence->tokens, item.sequence->kv.computed, item.num_tokens,
                              item.sequence->kv.blocks, item.samples});
        fill_input(in_, parts_);
        constexpr Token kDrawn = 7;
        for (const Batch::Item& item : batch.items)
            result.add(std::span(&kDrawn, item.samples ? 1 : 0));
    }

private:
    const Buffer memory_;
    ForwardInput in_;
    std::vector<SequencePart> parts_;
};

// The engine's work in one step of decodes, in one thread. Argument: sequences.
void decode_step(benchmark::State& state) {
    const SchedulerOptions o = options(static_cast<int>(state.range(0)));
    BlockPool pool(o.limits.num_blocks, o.limits.block_tokens, {1, 2});
    Scheduler scheduler(o, pool);
    NullRunner runner(o.limits);
    StepResult result;
    std::vector<TokenEvent> events;
    const auto step = [&] {
        const Batch& batch = scheduler.step();
        result.clear();
        runner.run(batch, result);
        events = scheduler.commit(result);
    };
    for (int64_t id = 0; id < state.range(0); ++id) scheduler.add(request(id));
    while (std::ssize(events) < state.range(0)) step();  // Until all are past their prompts.
    for (auto _ : state) step();
}
BENCHMARK(decode_step)->Arg(1)->Arg(64)->Arg(256)->Iterations(3000);

// The same through the engine's thread, inbox and sink: wall time from the first request to the
// last token, over all steps. Prompts are in it too.
void engine_step(benchmark::State& state) {
    const int sequences = static_cast<int>(state.range(0));
    std::mutex mutex;
    std::condition_variable changed;
    int finished = 0;
    const auto sink = [&](const std::vector<TokenEvent>& events) {
        for (const TokenEvent& event : events) {
            if (event.finish == FinishReason::none) continue;
            const std::lock_guard lock(mutex);
            ++finished;
            changed.notify_all();
        }
    };
    for (auto _ : state) {
        const SchedulerOptions o = options(sequences);
        Engine engine(o, std::make_unique<NullRunner>(o.limits), sink, 1);
        finished = 0;
        const auto begin = std::chrono::steady_clock::now();
        for (int id = 0; id < sequences; ++id)
            CHECK(engine.submit(request(id)).ok(), "request ", id);
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return finished == sequences; });
        const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
        lock.unlock();
        engine.stop();
        state.SetIterationTime(wall.count() / static_cast<double>(engine.stats().steps));
    }
}
BENCHMARK(engine_step)->Arg(1)->Arg(64)->Arg(256)->Iterations(3)->UseManualTime();

// Prompts of 4,000 tokens that are in the prefix cache: matched, released, matched again.
void admit_cached(benchmark::State& state) {
    const SchedulerOptions o = options(64);
    BlockPool pool(o.limits.num_blocks, o.limits.block_tokens, {1, 2});
    Scheduler scheduler(o, pool);
    NullRunner runner(o.limits);
    const auto once = [&] {
        scheduler.add(request(0));
        StepResult result;
        runner.run(scheduler.step(), result);
        benchmark::DoNotOptimize(scheduler.commit(result));
        scheduler.cancel(0);
    };
    once();
    for (auto _ : state) once();
}
BENCHMARK(admit_cached);

}  // namespace
}  // namespace fathom
