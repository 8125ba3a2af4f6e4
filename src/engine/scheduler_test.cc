#include "engine/scheduler.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

constexpr Token kEnd = 99;

SchedulerOptions options(int batch_tokens, int sequences, int num_blocks) {
    return {.limits = {.batch_tokens_max = batch_tokens,
                       .batch_sequences_max = sequences,
                       .sequence_tokens_max = 32,
                       .block_tokens = 4,
                       .num_blocks = num_blocks},
            .end_tokens = {kEnd}};
}

struct Fixture {
    explicit Fixture(SchedulerOptions o)
        : pool(o.limits.num_blocks, o.limits.block_tokens, {1, 2}), scheduler(std::move(o), pool) {}

    void add(uint64_t id, int prompt, int max_tokens, int first = 0) {
        Request r{.id = id, .max_tokens = max_tokens};
        for (int i = 0; i < prompt; ++i) r.prompt.push_back(first + i);
        scheduler.add(std::move(r));
    }
    // Runs a step in which every sampling sequence draws `token`.
    std::vector<TokenEvent> step(Token token) {
        const Batch& batch = scheduler.step();
        StepResult result;
        for (const Batch::Item& item : batch.items)
            result.add(item.samples ? std::span(&token, 1) : std::span<const Token>());
        return scheduler.commit(result);
    }

    BlockPool pool;
    Scheduler scheduler;
};

TEST(Scheduler, APromptIsCutToTheStep) {
    Fixture f(options(8, 2, 16));
    f.add(1, 20, 2);
    EXPECT_TRUE(f.step(7).empty());
    EXPECT_TRUE(f.step(7).empty());
    EXPECT_EQ(f.step(7).size(), 1u);  // 4 tokens left, and the first drawn.
    const auto last = f.step(7);
    ASSERT_EQ(last.size(), 1u);
    EXPECT_EQ(last[0].finish, FinishReason::length);
    EXPECT_TRUE(f.scheduler.idle());
    EXPECT_EQ(f.pool.num_free(), 16);
}

TEST(Scheduler, DecodesComeBeforePrompts) {
    Fixture f(options(6, 3, 16));
    f.add(1, 4, 9);
    f.step(7);
    f.add(2, 10, 9);
    const Batch& batch = f.scheduler.step();
    ASSERT_EQ(batch.items.size(), 2u);
    EXPECT_EQ(batch.items[0].sequence->request.id, 1u);
    EXPECT_EQ(batch.items[0].num_tokens, 1);
    EXPECT_EQ(batch.items[1].num_tokens, 5);
    EXPECT_FALSE(batch.items[1].samples);
}

TEST(Scheduler, EndTokensStopTokensAndMinTokens) {
    Fixture f(options(32, 8, 64));
    const auto request = [](uint64_t id) {
        return Request{.id = id, .prompt = {1, 2}, .max_tokens = 5};
    };
    Request ignores = request(1), stops = request(2), waits = request(3), both = request(4);
    ignores.ignore_eos = true;
    stops.stop_token_ids = {50};
    waits.min_tokens = 3;
    both.stop_token_ids = {kEnd};
    for (Request r : {ignores, stops, waits, both}) f.scheduler.add(std::move(r));
    const auto first = f.step(kEnd);
    EXPECT_EQ(first[0].finish, FinishReason::none) << "ignores the end token";
    EXPECT_EQ(first[1].finish, FinishReason::stop);
    EXPECT_EQ(first[1].stop_token, std::nullopt);
    EXPECT_EQ(first[2].finish, FinishReason::none) << "needs three tokens";
    EXPECT_EQ(first[3].finish, FinishReason::stop);
    EXPECT_EQ(first[3].stop_token, std::nullopt) << "the end token goes before stop tokens";
    f.add(5, 3, 5);
    Request named = request(6);
    named.stop_token_ids = {50};
    f.scheduler.add(std::move(named));
    const auto second = f.step(50);
    EXPECT_EQ(second.back().stop_token, 50);
    EXPECT_EQ(f.step(kEnd)[1].finish, FinishReason::stop) << "the third token may end it";
}

TEST(Scheduler, WhatFollowsAnEndInOneStepIsDropped) {
    Fixture f(options(32, 8, 64));
    f.add(1, 2, 9);
    f.scheduler.step();
    const Token drafts[] = {7, kEnd, 8};
    StepResult result;
    result.add(drafts);
    const auto events = f.scheduler.commit(result);
    EXPECT_EQ(events[0].tokens, (std::vector<Token>{7, kEnd}));
    EXPECT_EQ(events[0].finish, FinishReason::stop);
}

TEST(Scheduler, TheYoungestIsPreemptedAndComesBackFirst) {
    Fixture f(options(32, 4, 8));
    f.add(1, 15, 10, 100);
    f.add(2, 15, 10, 200);
    f.step(7);  // 4 blocks each: all are taken.
    f.step(7);
    f.step(7);  // Sequence 1 needs a fifth block.
    EXPECT_EQ(f.scheduler.preemptions(), 1);
    f.add(3, 4, 4, 300);
    EXPECT_EQ(f.scheduler.ids(), (std::vector<uint64_t>{1, 2, 3})) << "before newcomers";
    while (f.scheduler.ids()[0] == 1) f.step(7);
    EXPECT_EQ(f.scheduler.ids(), (std::vector<uint64_t>{2, 3}));
}

// A prompt that cannot be finished is not begun: it would be preempted and begun again.
TEST(Scheduler, APromptWaitsUntilAllItsBlocksAreFree) {
    Fixture f(options(/*batch_tokens=*/8, 4, /*num_blocks=*/9));
    f.add(1, 8, 20);
    f.step(7);
    f.add(2, 26, 4, 100);  // 7 blocks; 6 are free once the first sequence has its third.
    for (int i = 0; i < 8; ++i) {
        EXPECT_EQ(f.step(7).size(), 1u);
        f.scheduler.check_invariants();
    }
    EXPECT_EQ(f.scheduler.preemptions(), 0);
    EXPECT_TRUE(f.scheduler.cancel(1));
    EXPECT_EQ(f.scheduler.step().num_tokens, 8) << "from its beginning, in chunks of the step";
}

TEST(Scheduler, CancelFreesBlocksAtOnce) {
    Fixture f(options(32, 1, 8));
    f.add(1, 9, 4);
    f.add(2, 9, 4);
    f.step(7);
    EXPECT_EQ(f.pool.num_free(), 5);
    EXPECT_TRUE(f.scheduler.cancel(1));
    EXPECT_EQ(f.pool.num_free(), 8);
    EXPECT_TRUE(f.scheduler.cancel(2)) << "while it waits";
    EXPECT_FALSE(f.scheduler.cancel(2));
    EXPECT_TRUE(f.scheduler.idle());
}

TEST(Scheduler, ASharedBeginningIsComputedOnce) {
    Fixture f(options(32, 4, 32));
    f.add(1, 10, 3);
    f.step(7);
    f.add(2, 10, 3);
    const auto events = f.step(7);
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].cached_tokens, 0);
    EXPECT_EQ(events[1].cached_tokens, 8) << "two full blocks of four";
    SchedulerOptions off = options(32, 4, 32);
    off.prefix_caching = false;
    Fixture g(off);
    g.add(1, 10, 3);
    g.step(7);
    g.add(2, 10, 3);
    EXPECT_EQ(g.step(7)[1].cached_tokens, 0);
}

TEST(Scheduler, RefusesWhatCanNeverFit) {
    Fixture f(options(32, 4, 8));
    EXPECT_FALSE(f.scheduler.fits({.prompt = {}, .max_tokens = 1}));
    EXPECT_FALSE(f.scheduler.fits({.prompt = std::vector<Token>(30, 1), .max_tokens = 3}));
    EXPECT_TRUE(f.scheduler.fits({.prompt = std::vector<Token>(30, 1), .max_tokens = 2}));
    EXPECT_DEATH(Fixture(options(32, 4, 7)), "needs more than the 7 blocks");
}

}  // namespace
}  // namespace fathom
