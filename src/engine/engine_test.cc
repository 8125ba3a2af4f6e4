// The engine's thread, inbox and sink, with a stand-in for the model.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "engine/step_testing.h"

namespace fathom {
namespace {

using namespace std::chrono_literals;

// Draws the number of tokens known so far; holds each step until it is let go, when asked to.
class Counting : public StepRunner {
public:
    explicit Counting(std::atomic<int>* allowed = nullptr) : allowed_(allowed) {}
    void run(const Batch& batch, StepResult& result) override {
        while (allowed_ != nullptr && allowed_->fetch_sub(1) <= 0) {
            allowed_->fetch_add(1);
            std::this_thread::sleep_for(1ms);
        }
        for (const Batch::Item& item : batch.items) {
            const auto token = static_cast<Token>(item.sequence->tokens.size());
            testing::add_outcome(result, item, std::span(&token, 1));
        }
    }

private:
    std::atomic<int>* const allowed_;
};

// Counts until its device breaks, in the step with that number.
class Breaking : public Counting {
public:
    Breaking(int step, std::atomic<int>* begun, std::atomic<int>* allowed)
        : Counting(allowed), step_(step), begun_(begun) {}
    void run(const Batch& batch, StepResult& result) override {
        const int step = ++*begun_;
        Counting::run(batch, result);
        if (step >= step_) result.fail({Code::unavailable, "the device is on fire"});
    }

private:
    const int step_;
    std::atomic<int>* const begun_;
};

// What came out of the sink, by request.
struct Outbox {
    void take(std::vector<TokenEvent> events) {
        const std::lock_guard lock(mutex);
        for (TokenEvent& event : events) {
            auto& tokens = by_id[event.id];
            tokens.insert(tokens.end(), event.tokens.begin(), event.tokens.end());
            cached[event.id] = event.cached_tokens;
            if (!event.tokens.empty()) scheduled[event.id].push_back(event.scheduled);
            if (event.finish != FinishReason::none) finished[event.id] = event.finish;
        }
        changed.notify_all();
    }
    bool wait(size_t count) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, 20s, [&] { return finished.size() >= count; });
    }
    size_t tokens_of(uint64_t id) {
        const std::lock_guard lock(mutex);
        return by_id[id].size();
    }
    std::mutex mutex;
    std::condition_variable changed;
    std::map<uint64_t, std::vector<Token>> by_id;
    std::map<uint64_t, FinishReason> finished;
    std::map<uint64_t, int> cached;
    std::map<uint64_t, std::vector<Clock::time_point>> scheduled;
};

SchedulerOptions options(int waiting_max = 1000) {
    return {.limits = {.batch_tokens_max = 64,
                       .batch_sequences_max = 8,
                       .sequence_tokens_max = 64,
                       .block_tokens = 16,
                       .num_blocks = 32,
                       .waiting_max = waiting_max}};
}

Request request(uint64_t id, int max_tokens) {
    return {.id = id, .prompt = {1, 2, 3}, .max_tokens = max_tokens};
}

struct Fixture {
    explicit Fixture(std::atomic<int>* allowed = nullptr, int waiting_max = 1000)
        : Fixture(std::make_unique<Counting>(allowed), waiting_max) {}
    explicit Fixture(std::unique_ptr<StepRunner> runner, int waiting_max = 1000)
        : engine(
              options(waiting_max), std::move(runner),
              [this](std::vector<TokenEvent> e) { outbox.take(std::move(e)); }, 1) {}
    Outbox outbox;
    Engine engine;
};

TEST(Engine, TokensComeInOrder) {
    Fixture f;
    for (uint64_t id = 0; id < 40; ++id) ASSERT_TRUE(f.engine.submit(request(id, 5)).ok());
    ASSERT_TRUE(f.outbox.wait(40));
    for (uint64_t id = 0; id < 40; ++id)
        EXPECT_EQ(f.outbox.by_id[id], (std::vector<Token>{3, 4, 5, 6, 7}));
    EXPECT_TRUE(f.engine.drain(10s));
    const EngineStats stats = f.engine.stats();
    EXPECT_EQ(stats.generated_tokens, 200);
    EXPECT_EQ(stats.prompt_tokens, 120);
}

TEST(Engine, ManyThreadsSubmitAndCancel) {
    Fixture f;
    std::atomic<size_t> kept{0};
    {
        std::vector<std::jthread> threads;
        for (uint64_t t = 0; t < 4; ++t)
            threads.emplace_back([&, t] {
                for (uint64_t i = 0; i < 100; ++i) {
                    const uint64_t id = t * 1000 + i;
                    ASSERT_TRUE(f.engine.submit(request(id, 20)).ok());
                    i % 3 == 0 ? f.engine.cancel(id) : void(++kept);
                    f.engine.stats();
                }
            });
    }
    ASSERT_TRUE(f.engine.drain(20s));
    for (uint64_t t = 0; t < 4; ++t)
        for (uint64_t i = 0; i < 100; ++i)
            EXPECT_TRUE(i % 3 == 0 || f.outbox.tokens_of(t * 1000 + i) == 20u);
    EXPECT_EQ(f.engine.stats().blocks_used, 0);
}

TEST(Engine, CancelWorksWithinAStep) {
    std::atomic<int> allowed{2};
    Fixture f(&allowed);
    ASSERT_TRUE(f.engine.submit(request(1, 40)).ok());
    while (f.outbox.tokens_of(1) < 2) std::this_thread::sleep_for(1ms);
    f.engine.cancel(1);  // The third step is waiting to run; it may still draw a token.
    allowed = 1000;
    ASSERT_TRUE(f.engine.drain(10s));
    EXPECT_LE(f.outbox.tokens_of(1), 3u);
    EXPECT_EQ(f.engine.stats().blocks_used, 0);
}

TEST(Engine, OverloadIsRefusedAtTheDoor) {
    std::atomic<int> allowed{0};
    Fixture f(&allowed, /*waiting_max=*/3);
    int accepted = 0;
    Status last = Unit{};
    for (uint64_t id = 0; id < 30 && last.ok(); ++id) {
        last = f.engine.submit(request(id, 2));
        accepted += last.ok();
    }
    ASSERT_FALSE(last.ok());
    EXPECT_EQ(last.error().code, Code::overloaded);
    EXPECT_LE(accepted, 3 + 8);
    allowed = 1000;
    EXPECT_TRUE(f.outbox.wait(accepted)) << "what was accepted is served";
}

// What a long step has begun waits no more: its place is free before the step is over.
TEST(Engine, NewcomersAreLetInDuringAStep) {
    std::atomic<int> allowed{0};
    Fixture f(&allowed, /*waiting_max=*/1);
    ASSERT_TRUE(f.engine.submit(request(1, 2)).ok());
    for (int i = 0; i < 10000 && f.engine.stats().running == 0; ++i)
        std::this_thread::sleep_for(1ms);
    EXPECT_EQ(f.engine.stats().steps, 0) << "the step is under way";
    EXPECT_TRUE(f.engine.submit(request(2, 2)).ok());
    EXPECT_EQ(f.engine.submit(request(3, 2)).error().code, Code::overloaded);
    allowed = 1000;
    EXPECT_TRUE(f.outbox.wait(2));
}

TEST(Engine, PrefixesAreReusedUntilReset) {
    Fixture f;
    const auto cached_of = [&](uint64_t id) {
        EXPECT_TRUE(
            f.engine.submit({.id = id, .prompt = std::vector<Token>(40, 7), .max_tokens = 2}).ok());
        EXPECT_TRUE(f.outbox.wait(id));
        const std::lock_guard lock(f.outbox.mutex);
        return f.outbox.cached[id];
    };
    EXPECT_EQ(cached_of(1), 0);
    EXPECT_EQ(cached_of(2), 32);
    f.engine.reset_prefix_cache();
    EXPECT_EQ(cached_of(3), 0);
}

TEST(Engine, StoppingAbortsWhatIsLeft) {
    std::atomic<int> allowed{1};
    Fixture f(&allowed);
    ASSERT_TRUE(f.engine.submit(request(1, 40)).ok());
    while (f.outbox.tokens_of(1) < 1) std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(f.engine.drain(20ms));
    EXPECT_EQ(f.engine.submit(request(2, 1)).error().code, Code::unavailable);
    allowed = 1;
    f.engine.stop();
    EXPECT_EQ(f.outbox.finished.at(1), FinishReason::abort);
}

TEST(Engine, RefusesARequestThatCanNeverFit) {
    Fixture f;
    EXPECT_EQ(f.engine.submit(request(1, 62)).error().code, Code::invalid_argument);
    EXPECT_TRUE(f.engine.submit(request(1, 61)).ok());
}

// Whether it runs, waits or is still in the inbox: every request ends, and no other is accepted.
TEST(Engine, AFaultEndsEverythingForGood) {
    std::atomic<int> allowed{2}, begun{0};
    Fixture f(std::make_unique<Breaking>(3, &begun, &allowed));
    EXPECT_TRUE(f.engine.healthy());
    for (uint64_t id = 0; id < 20; ++id) ASSERT_TRUE(f.engine.submit(request(id, 40)).ok());
    while (begun < 3) std::this_thread::sleep_for(1ms);
    for (uint64_t id = 20; id < 25; ++id) ASSERT_TRUE(f.engine.submit(request(id, 40)).ok());
    allowed = 1000;
    ASSERT_TRUE(f.outbox.wait(25));
    for (uint64_t id = 0; id < 25; ++id) EXPECT_EQ(f.outbox.finished[id], FinishReason::error);
    EXPECT_FALSE(f.engine.healthy());
    const Status refused = f.engine.submit(request(99, 1));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::unavailable);
    EXPECT_NE(refused.error().message.find("the device is on fire"), std::string::npos);
    f.engine.cancel(3);
    EXPECT_TRUE(f.engine.drain(10s)) << "nothing is left";
    EXPECT_EQ(f.engine.stats().blocks_used, 0);
    EXPECT_EQ(f.engine.stats().running, 0);
    EXPECT_EQ(f.engine.stats().steps, 2) << "the step that failed is none";
}

TEST(Engine, EventsSayWhenTheRequestWasBegun) {
    const Clock::time_point before = Clock::now();
    Fixture f;
    ASSERT_TRUE(f.engine.submit(request(1, 5)).ok());
    ASSERT_TRUE(f.outbox.wait(1));
    const std::lock_guard lock(f.outbox.mutex);
    const auto& times = f.outbox.scheduled[1];
    ASSERT_EQ(times.size(), 5u);
    EXPECT_GE(times[0], before);
    EXPECT_LE(times[0], Clock::now());
    for (const Clock::time_point time : times) EXPECT_EQ(time, times[0]) << "not of the last step";
}

TEST(Engine, FiguresOfStepsAndOfThePrefixCache) {
    Fixture f;
    EXPECT_EQ(f.engine.stats().blocks, 32) << "there before anything is done";
    for (uint64_t id = 1; id <= 2; ++id) {
        ASSERT_TRUE(
            f.engine.submit({.id = id, .prompt = std::vector<Token>(40, 7), .max_tokens = 3}).ok());
        ASSERT_TRUE(f.outbox.wait(id));
    }
    ASSERT_TRUE(f.engine.drain(10s));
    const EngineStats stats = f.engine.stats();
    EXPECT_EQ(stats.steps, 6);
    EXPECT_EQ(stats.step_tokens.counts[0], 4) << "decodes";
    EXPECT_EQ(stats.step_tokens.counts[1], 1) << "8 tokens behind the cached ones";
    EXPECT_EQ(stats.step_tokens.counts[4], 1) << "40 tokens";
    EXPECT_EQ(stats.step_tokens.sum, 52);
    EXPECT_EQ(stats.prefix_queries, 80);
    EXPECT_EQ(stats.prefix_hits, 32);
    EXPECT_EQ(stats.prompt_tokens, 80);
    EXPECT_EQ(stats.generated_tokens, 6);
}

TEST(Engine, SeedsAreDrawnFromTheEnginesSeed) {
    Fixture a, b;
    const uint64_t first = a.engine.draw_seed();
    EXPECT_EQ(first, b.engine.draw_seed());
    EXPECT_NE(first, a.engine.draw_seed());
}

}  // namespace
}  // namespace fathom
