// Runs the scheduler against a model whose KV cache holds the tokens themselves. A wrong slot, a
// block shared too early or evicted too late then shows as a wrong token, in milliseconds.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/scheduler.h"

namespace fathom {
namespace {

constexpr Token kEnd = 255;

// What the model says after a context; now and then the end token.
Token next_token(std::span<const Token> context) {
    uint64_t h = 1469598103934665603ull;
    for (Token t : context) h = (h ^ static_cast<uint64_t>(t)) * 1099511628211ull;
    return static_cast<Token>(h >> 40) & 0xff;
}

struct World {
    World(uint32_t seed, SchedulerOptions o)
        : rng(seed),
          limits(o.limits),
          pool(limits.num_blocks, limits.block_tokens, {seed, 1}),
          scheduler(std::move(o), pool),
          kv(limits.num_blocks * limits.block_tokens, -1) {}

    int uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(rng); }

    void arrive() {
        Request r{.id = arrived++, .max_tokens = uniform(1, 12)};
        r.min_tokens = uniform(0, 1) * uniform(0, r.max_tokens);
        r.ignore_eos = uniform(0, 3) == 0;
        if (uniform(0, 2) == 0) r.stop_token_ids = {uniform(0, 255)};
        const int length = uniform(1, limits.sequence_tokens_max - r.max_tokens);
        const int family = uniform(0, 3);  // Four system prompts, shared by all requests.
        const int shared = uniform(0, length);
        for (int i = 0; i < length; ++i)
            r.prompt.push_back(i < shared ? family * 1000 + i : uniform(0, 254));
        alive.emplace(r.id, r);
        scheduler.add(std::move(r));
    }
    void leave() {
        auto it = alive.begin();
        std::advance(it, uniform(0, static_cast<int>(alive.size()) - 1));
        ASSERT_TRUE(scheduler.cancel(it->first));
        alive.erase(it);
        ++finished;
    }
    void run_step();
    void check(const Batch::Item& item);
    void take(const TokenEvent& event);
    bool ends(const Request& r, Token token) const;

    std::mt19937 rng;
    const Limits limits;
    BlockPool pool;
    Scheduler scheduler;
    std::vector<Token> kv;              // Slot -> the token whose key it holds.
    std::map<uint64_t, Request> alive;  // Prompts grow by what was generated.
    std::map<uint64_t, int> generated;
    uint64_t arrived = 0, finished = 0;
    uint64_t oldest = 0;
    int oldest_known = 0;
};

// Computes the item's tokens into their slots and reads everything before them.
void World::check(const Batch::Item& item) {
    const Sequence& s = *item.sequence;
    const int B = limits.block_tokens;
    const auto slot = [&](int i) -> Token& { return kv[s.kv.blocks[i / B] * B + i % B]; };
    const int end = s.kv.computed + item.num_tokens;
    for (int i = s.kv.computed; i < end; ++i) slot(i) = s.tokens[i];
    for (int i = 0; i < end; ++i)
        ASSERT_EQ(slot(i), s.tokens[i]) << "sequence " << s.request.id << " reads a foreign key";
}

bool World::ends(const Request& r, Token token) const {
    const int count = generated.at(r.id);
    if (count >= r.max_tokens) return true;
    if (count < r.min_tokens) return false;
    return (token == kEnd && !r.ignore_eos) ||
           (!r.stop_token_ids.empty() && token == r.stop_token_ids[0]);
}

void World::take(const TokenEvent& event) {
    Request& r = alive.at(event.id);
    ASSERT_EQ(event.tokens.size(), 1u);
    ASSERT_EQ(event.tokens[0], next_token(r.prompt)) << "sequence " << event.id;
    r.prompt.push_back(event.tokens[0]);
    ++generated[event.id];
    ASSERT_EQ(event.finish != FinishReason::none, ends(r, event.tokens[0]));
    if (event.finish == FinishReason::none) return;
    alive.erase(event.id);
    ++finished;
}

void World::run_step() {
    const Batch& batch = scheduler.step();
    ASSERT_LE(batch.num_tokens, limits.batch_tokens_max);
    ASSERT_LE(batch.items.size(), static_cast<size_t>(limits.batch_sequences_max));
    // The oldest always advances, whoever else is short of blocks.
    ASSERT_EQ(batch.items[0].sequence->request.id, scheduler.ids()[0]);
    StepResult result;
    for (const Batch::Item& item : batch.items) {
        ASSERT_NO_FATAL_FAILURE(check(item));
        const std::span<const Token> known(item.sequence->tokens);
        ASSERT_EQ(item.samples, item.num_tokens == item.sequence->pending());
        const Token token = next_token(known);
        result.add(item.samples ? std::span(&token, 1) : std::span<const Token>());
    }
    for (const TokenEvent& event : scheduler.commit(result)) ASSERT_NO_FATAL_FAILURE(take(event));
    pool.check_invariants();
}

class SchedulerSim : public ::testing::TestWithParam<uint32_t> {};

TEST_P(SchedulerSim, EveryRequestFinishesAsIfAlone) {
    std::mt19937 rng(GetParam());
    const auto pick = [&](int low, int high) {
        return std::uniform_int_distribution(low, high)(rng);
    };
    SchedulerOptions o{.end_tokens = {kEnd}};
    o.prefix_caching = pick(0, 3) > 0;
    o.limits.block_tokens = 1 << pick(1, 4);
    o.limits.batch_sequences_max = pick(1, 8);
    o.limits.batch_tokens_max = pick(o.limits.batch_sequences_max, 40);
    o.limits.sequence_tokens_max = pick(16, 80);
    const int least = o.limits.blocks_for(o.limits.sequence_tokens_max);
    o.limits.num_blocks = pick(least, 3 * least);
    World world(GetParam(), o);

    const uint64_t requests = 60;
    int steps = 0;
    while (world.finished < requests) {
        ASSERT_LT(++steps, 20000) << "no progress";
        if (world.arrived < requests && world.uniform(0, 2) == 0) world.arrive();
        if (!world.alive.empty() && world.uniform(0, 40) == 0)
            ASSERT_NO_FATAL_FAILURE(world.leave());
        if (world.scheduler.idle()) continue;
        ASSERT_NO_FATAL_FAILURE(world.run_step());
    }
    EXPECT_TRUE(world.scheduler.idle());
    EXPECT_EQ(world.pool.num_free(), world.pool.num_blocks()) << "leak";
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerSim, ::testing::Range(0u, 500u));

}  // namespace
}  // namespace fathom
