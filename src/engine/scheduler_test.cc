#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <map>

#include "engine/step_testing.h"

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
        taken.clear();
        for (const Batch::Item& item : batch.items) {
            testing::add_outcome(result, item, std::span(&token, 1));
            taken[item.sequence->request.id] = item.num_tokens;
        }
        return scheduler.commit(result);
    }

    BlockPool pool;
    Scheduler scheduler;
    std::map<uint64_t, int> taken;  // Tokens that the last step computed, by sequence.
};

Request wanting(uint64_t id, int prompt, int max_tokens, int first = 100) {
    Request r{.id = id, .max_tokens = max_tokens, .prompt_logprobs = 0};
    for (int i = 0; i < prompt; ++i) r.prompt.push_back(first + i);
    return r;
}

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
    for (Request* r : {&ignores, &stops, &waits, &both}) f.scheduler.add(std::move(*r));
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
    EXPECT_EQ(f.scheduler.counts().preemptions, 1);
    f.add(3, 4, 4, 300);
    EXPECT_EQ(f.scheduler.ids(), (std::vector<uint64_t>{1, 2, 3})) << "before newcomers";
    while (f.scheduler.ids()[0] == 1) f.step(7);
    EXPECT_EQ(f.scheduler.ids(), (std::vector<uint64_t>{2, 3}));
    while (!f.scheduler.idle()) f.step(7);
    EXPECT_EQ(f.scheduler.counts().prefix_queries, 15 + 15 + 4) << "each at its first beginning";
    EXPECT_EQ(f.scheduler.counts().prompt_tokens, 15 + 15 + 4);
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
    EXPECT_EQ(f.scheduler.counts().preemptions, 0);
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
    SchedulerOptions rows = options(32, 4, 8);
    rows.limits.logits_rows_max = 3;
    EXPECT_DEATH(Fixture{rows}, "3 rows of logits for 4 sequences");
}

// The prompt advances by the rows that the decode leaves, and others advance beside it.
TEST(Scheduler, AsManyPromptLogprobsAStepAsThereAreRows) {
    SchedulerOptions o = options(32, 4, 32);
    o.limits.logits_rows_max = 5;
    Fixture f(o);
    f.add(1, 3, 20);
    f.step(7);
    Request r = wanting(2, 10, 2);
    r.logprobs = 1;
    f.scheduler.add(std::move(r));
    f.add(3, 6, 3, 200);
    EXPECT_EQ(f.step(7).size(), 1u) << "4 rows for the prompt, none for the newcomer's last token";
    EXPECT_EQ(f.taken, (std::map<uint64_t, int>{{1, 1}, {2, 4}, {3, 5}}));
    EXPECT_EQ(f.step(7).size(), 2u) << "the newcomer has a row now, the prompt three";
    EXPECT_EQ(f.taken, (std::map<uint64_t, int>{{1, 1}, {2, 3}, {3, 1}}));
    const auto events = f.step(7);
    ASSERT_EQ(events.size(), 3u);
    EXPECT_EQ(events[2].id, 2u);
    ASSERT_EQ(events[2].prompt_logprobs.size(), 9u);
    for (int i = 0; i < 9; ++i) {
        EXPECT_EQ(events[2].prompt_logprobs[i].token, 101 + i);
        EXPECT_EQ(events[2].prompt_logprobs[i].rank, i) << "of the row before";
    }
    EXPECT_EQ(events[2].logprobs.size(), 1u);
    const auto last = f.step(7);
    EXPECT_TRUE(last[1].prompt_logprobs.empty()) << "with the first event only";
    EXPECT_EQ(last[1].logprobs.size(), 1u);
    EXPECT_TRUE(last[0].logprobs.empty()) << "not asked for";
}

TEST(Scheduler, PromptLogprobsUseNoCachedPrefixAndPublishTheirOwn) {
    Fixture f(options(32, 4, 32));
    f.add(1, 10, 1, 100);
    f.step(7);
    f.scheduler.add(wanting(2, 10, 1));
    auto events = f.step(7);
    EXPECT_EQ(events[0].cached_tokens, 0);
    EXPECT_EQ(events[0].prompt_logprobs.size(), 9u);
    EXPECT_EQ(f.scheduler.counts().prefix_queries, 10) << "of the first alone";
    f.scheduler.add(wanting(3, 9, 1, 500));
    f.step(7);
    f.add(4, 9, 1, 500);
    EXPECT_EQ(f.step(7)[0].cached_tokens, 8);
    EXPECT_EQ(f.scheduler.counts().prefix_queries, 19);
    EXPECT_EQ(f.scheduler.counts().prefix_hits, 8);
}

// What was reported before a preemption is neither lost nor reported again.
TEST(Scheduler, PromptLogprobsSurviveAPreemption) {
    for (const bool caching : {true, false}) {
        SchedulerOptions o = options(32, 4, 9);
        o.limits.logits_rows_max = 4;
        o.prefix_caching = caching;
        Fixture f(o);
        f.add(1, 4, 20);
        f.step(7);
        f.scheduler.add(wanting(2, 26, 2));  // 7 blocks; three rows are left to it.
        for (int i = 0; i < 5; ++i) f.step(7);
        EXPECT_EQ(f.scheduler.counts().preemptions, 1);
        ASSERT_TRUE(f.scheduler.cancel(1));
        const Batch& batch = f.scheduler.step();
        EXPECT_EQ(batch.num_tokens, caching ? 4 : 16) << "what was reported needs no logits";
        EXPECT_EQ(batch.items[0].num_logits, 4);
        StepResult result;
        testing::add_outcome(result, batch.items[0], {});
        std::vector<TokenEvent> events = f.scheduler.commit(result);
        while (events.empty()) events = f.step(7);
        ASSERT_EQ(events[0].prompt_logprobs.size(), 25u);
        for (int i = 0; i < 25; ++i) EXPECT_EQ(events[0].prompt_logprobs[i].rank, i);
        EXPECT_EQ(events[0].cached_tokens, 0);
    }
}

TEST(Scheduler, TheLowerPriorityIsBegunFirst) {
    const auto order = [](bool by_priority) {
        SchedulerOptions o = options(32, 1, 8);
        o.priority_scheduling = by_priority;
        Fixture f(o);
        const int priorities[] = {0, 3, -1, 3, -1};
        for (uint64_t id = 0; id < 5; ++id)
            f.scheduler.add({.id = id, .prompt = {1}, .max_tokens = 1, .priority = priorities[id]});
        std::vector<uint64_t> begun;
        while (!f.scheduler.idle())
            for (const TokenEvent& event : f.step(7)) begun.push_back(event.id);
        return begun;
    };
    EXPECT_EQ(order(true), (std::vector<uint64_t>{2, 4, 0, 1, 3}));
    EXPECT_EQ(order(false), (std::vector<uint64_t>{0, 1, 2, 3, 4}));
}

// Blocks are taken from the youngest of the worst priority, whoever is older.
TEST(Scheduler, BlocksAreTakenFromTheWorstPriority) {
    const auto preempted = [](bool by_priority) {
        SchedulerOptions o = options(32, 4, 8);
        o.priority_scheduling = by_priority;
        Fixture f(o);
        const auto add = [&](uint64_t id, int prompt, int priority) {
            Request r{.id = id, .max_tokens = 10, .priority = priority};
            for (int i = 0; i < prompt; ++i) r.prompt.push_back(static_cast<Token>(100 * id) + i);
            f.scheduler.add(std::move(r));
            f.step(7);
        };
        add(1, 10, 5);
        add(2, 9, 5);
        add(3, 5, 0);  // 3, 3 and 2 blocks.
        while (f.scheduler.counts().preemptions == 0) f.step(7);
        return f.scheduler.ids().back();
    };
    EXPECT_EQ(preempted(true), 2u);
    EXPECT_EQ(preempted(false), 3u);
}

TEST(Scheduler, PrefixesAreSharedUnderOneSaltOnly) {
    Fixture f(options(32, 4, 64));
    const auto cached = [&](std::string salt, bool longer = false) {
        Request r{.id = 1, .max_tokens = 1, .cache_salt = std::move(salt)};
        for (int i = 0; i < (longer ? 10 : 9); ++i) r.prompt.push_back(i);
        f.scheduler.add(std::move(r));
        return f.step(7)[0].cached_tokens;
    };
    EXPECT_EQ(cached(""), 0);
    EXPECT_EQ(cached("a"), 0);
    EXPECT_EQ(cached("b"), 0);
    EXPECT_EQ(cached("a", true), 8);
    EXPECT_EQ(cached(""), 8);
    // Bytes that are those of the empty prefix and a block are no way into it.
    const Token block[] = {0, 1, 2, 3};
    std::string forged(sizeof(PrefixHash), '\0');
    forged.append(reinterpret_cast<const char*>(block), sizeof block);
    Request r{.id = 2, .prompt = {4, 5, 6, 7, 8}, .max_tokens = 1, .cache_salt = forged};
    f.scheduler.add(std::move(r));
    EXPECT_EQ(f.step(7)[0].cached_tokens, 0);
}

struct Told : TokenConstraint {
    explicit Told(std::vector<Token>* tokens) : tokens(tokens) {}
    bool allowed(std::span<uint32_t>) override { return false; }
    void accept(Token token) override { tokens->push_back(token); }
    std::vector<Token>* tokens;
};

TEST(Scheduler, AConstraintIsToldEachTokenOnce) {
    Fixture f(options(32, 4, 8));
    std::vector<Token> told;
    f.add(1, 15, 10, 100);
    f.scheduler.add({.id = 2,
                     .prompt = std::vector<Token>(15, 3),
                     .max_tokens = 9,
                     .logprobs = 0,
                     .constraint = std::make_unique<Told>(&told)});
    for (Token token = 10; f.scheduler.counts().preemptions == 0; ++token) f.step(token);
    const std::vector<Token> before = told;
    EXPECT_GE(before.size(), 2u);
    ASSERT_TRUE(f.scheduler.cancel(1));
    f.step(50);
    ASSERT_EQ(told.size(), before.size() + 1) << "not again what was told before the preemption";
    EXPECT_EQ(told.back(), 50);
    const Batch& batch = f.scheduler.step();
    const Token drafts[] = {60, kEnd, 61};
    StepResult result;
    testing::add_outcome(result, batch.items[0], drafts);
    const auto events = f.scheduler.commit(result);
    EXPECT_EQ(told.back(), kEnd) << "what is behind the end was not committed";
    EXPECT_EQ(events[0].logprobs.size(), 2u);
}

TEST(Scheduler, EndAllLeavesNothing) {
    Fixture f(options(32, 2, 8));
    f.add(1, 5, 4);
    f.add(2, 5, 4);
    f.add(3, 5, 4);
    f.scheduler.step();
    const auto events = f.scheduler.end_all(FinishReason::error);
    ASSERT_EQ(events.size(), 3u);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(events[i].id, static_cast<uint64_t>(i + 1));
        EXPECT_EQ(events[i].finish, FinishReason::error);
    }
    EXPECT_TRUE(f.scheduler.idle());
    EXPECT_EQ(f.pool.num_free(), 8);
    f.add(4, 5, 1);
    EXPECT_EQ(f.step(7).size(), 1u);
}

TEST(Scheduler, CountsWhatItDid) {
    Fixture f(options(8, 2, 16));
    f.add(1, 20, 2);
    f.step(7);
    EXPECT_EQ(f.scheduler.counts().prompt_tokens, 0) << "not before its end";
    EXPECT_EQ(f.scheduler.counts().prefix_queries, 20);
    while (!f.scheduler.idle()) f.step(7);
    EXPECT_EQ(f.scheduler.counts().prompt_tokens, 20);
    EXPECT_EQ(f.scheduler.counts().generated_tokens, 2);
}

}  // namespace
}  // namespace fathom
