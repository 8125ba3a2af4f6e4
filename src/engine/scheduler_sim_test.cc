// Runs the scheduler against a model whose KV cache holds, for each token, a hash of all tokens up
// to it. A wrong slot, a block shared too early, evicted too late or found under the prefix of
// another then shows as a wrong key, in milliseconds.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/scheduler.h"

namespace fathom {
namespace {

constexpr Token kEnd = 255;

// The key of a token depends on all before it, as it does in a model of several layers.
uint64_t key_of(uint64_t before, Token token) {
    return (before ^ static_cast<uint64_t>(token)) * 1099511628211ull;
}
constexpr uint64_t kNoTokens = 1469598103934665603ull;

// What the model says after a context; now and then the end token.
Token next_token(std::span<const Token> context) {
    uint64_t h = kNoTokens;
    for (Token t : context) h = key_of(h, t);
    return static_cast<Token>(h >> 40) & 0xff;
}

// What happened in a world, to see that the worlds are not too peaceful.
struct Tally {
    int cancelled_running = 0, cancelled_waiting = 0, stopped = 0, stop_tokens = 0, length = 0;
    int cached_tokens = 0, chunks = 0, minimum_held = 0;
    int64_t preemptions = 0;
};

struct World {
    World(uint32_t seed, const SchedulerOptions& o)
        : rng(seed),
          options(o),
          limits(o.limits),
          pool(limits.num_blocks, limits.block_tokens, {seed, 1}),
          scheduler(o, pool),
          kv(limits.num_blocks * limits.block_tokens) {}

    int uniform(int low, int high) { return std::uniform_int_distribution<int>(low, high)(rng); }

    void arrive();
    void leave();
    void run_step();
    void compute(const Batch::Item& item);
    void take(const TokenEvent& event);
    FinishReason expected_end(const Request& r, Token token) const;
    void check();

    std::mt19937 rng;
    const SchedulerOptions options;
    const Limits limits;
    BlockPool pool;
    Scheduler scheduler;
    std::vector<uint64_t> kv;           // Slot -> the key it holds.
    std::map<uint64_t, Request> alive;  // Prompts grow by what was generated.
    std::map<uint64_t, int> generated, cached;
    uint64_t arrived = 0, finished = 0;
    Tally tally;
};

void World::arrive() {
    Request r{.id = arrived++, .max_tokens = uniform(1, 12)};
    r.min_tokens = uniform(0, 1) * uniform(0, r.max_tokens);
    r.ignore_eos = uniform(0, 3) == 0;
    if (uniform(0, 2) == 0)
        for (int i = 0; i < 8; ++i) r.stop_token_ids.push_back(uniform(0, 255));
    const int length = uniform(1, limits.sequence_tokens_max - r.max_tokens);
    const int family = uniform(0, 3);  // Four system prompts, shared by all requests.
    const int period = uniform(0, 1) == 0 ? 8 : 1000;  // Equal blocks under unequal prefixes.
    const int shared = uniform(0, length);
    for (int i = 0; i < length; ++i)
        r.prompt.push_back(i < shared ? family * 1000 + i % period : uniform(0, 254));
    alive.emplace(r.id, r);
    scheduler.add(std::move(r));
}

// Its blocks are free when cancel() returns: check() counts who holds what.
void World::leave() {
    auto it = alive.begin();
    std::advance(it, uniform(0, static_cast<int>(alive.size()) - 1));
    const int running = scheduler.running();
    ASSERT_TRUE(scheduler.cancel(it->first));
    ++(scheduler.running() < running ? tally.cancelled_running : tally.cancelled_waiting);
    ASSERT_FALSE(scheduler.cancel(it->first)) << "gone already";
    alive.erase(it);
    ++finished;
    check();
}

// Computes the item's tokens into their slots and reads everything before them.
void World::compute(const Batch::Item& item) {
    const Sequence& s = *item.sequence;
    const int B = limits.block_tokens;
    const auto slot = [&](int i) -> uint64_t& { return kv[s.kv.blocks[i / B] * B + i % B]; };
    const int end = s.kv.computed + item.num_tokens;
    ASSERT_GT(item.num_tokens, 0);
    ASSERT_LE(end, std::ssize(s.tokens));
    uint64_t key = kNoTokens;
    for (int i = 0; i < end; ++i) {
        key = key_of(key, s.tokens[i]);
        if (i >= s.kv.computed) {
            ASSERT_EQ(pool.references(s.kv.blocks[i / B]), 1) << "writes into a shared block";
            slot(i) = key;
        }
        ASSERT_EQ(slot(i), key) << "sequence " << s.request.id << " reads a foreign key";
    }
}

FinishReason World::expected_end(const Request& r, Token token) const {
    const int count = generated.at(r.id);
    const auto& stops = r.stop_token_ids;
    if (count >= r.min_tokens && ((token == kEnd && !r.ignore_eos) ||
                                  std::find(stops.begin(), stops.end(), token) != stops.end()))
        return FinishReason::stop;
    return count >= r.max_tokens ? FinishReason::length : FinishReason::none;
}

void World::take(const TokenEvent& event) {
    ASSERT_TRUE(alive.contains(event.id)) << event.id << " speaks after its end";
    Request& r = alive.at(event.id);
    ASSERT_EQ(event.tokens.size(), 1u);
    const Token token = event.tokens[0];
    ASSERT_EQ(token, next_token(r.prompt)) << "sequence " << event.id;
    if (generated[event.id] == 0) tally.cached_tokens += event.cached_tokens;
    ASSERT_EQ(event.cached_tokens % limits.block_tokens, 0);
    ASSERT_EQ(event.cached_tokens, cached.try_emplace(event.id, event.cached_tokens).first->second)
        << "what was found at first, not after a preemption";
    r.prompt.push_back(token);
    ++generated[event.id];
    ASSERT_EQ(event.finish, expected_end(r, token));
    tally.minimum_held += token == kEnd && !r.ignore_eos && event.finish == FinishReason::none;
    tally.stop_tokens += event.stop_token.has_value();
    tally.stopped += event.finish == FinishReason::stop;
    tally.length += event.finish == FinishReason::length;
    if (event.finish == FinishReason::none) return;
    alive.erase(event.id);
    ++finished;
}

void World::check() {
    pool.check_invariants();
    scheduler.check_invariants();
    ASSERT_LE(scheduler.running(), limits.batch_sequences_max);
    ASSERT_EQ(scheduler.ids().size(), alive.size());
}

void World::run_step() {
    const uint64_t oldest = scheduler.ids()[0];
    const Batch& batch = scheduler.step();
    ASSERT_LE(batch.num_tokens, limits.batch_tokens_max);
    ASSERT_LE(batch.items.size(), static_cast<size_t>(limits.batch_sequences_max));
    ASSERT_FALSE(batch.items.empty());
    // The oldest always advances, whoever else is short of blocks.
    ASSERT_EQ(batch.items[0].sequence->request.id, oldest);
    StepResult result;
    int num_tokens = 0;
    for (const Batch::Item& item : batch.items) {
        ASSERT_TRUE(item.samples || &item == &batch.items.back()) << "only one is in its prompt";
        num_tokens += item.num_tokens;
        ASSERT_NO_FATAL_FAILURE(compute(item));
        ASSERT_EQ(item.samples, item.num_tokens == item.sequence->pending());
        tally.chunks += !item.samples;
        const Token token = next_token(item.sequence->tokens);
        result.add(item.samples ? std::span(&token, 1) : std::span<const Token>());
    }
    ASSERT_EQ(num_tokens, batch.num_tokens);
    for (const TokenEvent& event : scheduler.commit(result)) ASSERT_NO_FATAL_FAILURE(take(event));
    check();
}

SchedulerOptions any_options(std::mt19937& rng) {
    const auto pick = [&](int low, int high) {
        return std::uniform_int_distribution(low, high)(rng);
    };
    SchedulerOptions o{.end_tokens = {kEnd}};
    o.prefix_caching = pick(0, 3) > 0;
    o.limits.block_tokens = 1 << pick(1, 7);  // 16 to 128 are served; small ones are harder.
    o.limits.batch_sequences_max = pick(1, 8);
    o.limits.batch_tokens_max = pick(o.limits.batch_sequences_max, 40);
    o.limits.sequence_tokens_max = pick(16, std::max(80, 3 * o.limits.block_tokens));
    const int least = o.limits.blocks_for(o.limits.sequence_tokens_max);
    o.limits.num_blocks = pick(least, 3 * least);
    return o;
}

// Sixty requests, of which some are cancelled.
void live(World& world) {
    const uint64_t requests = 60;
    int steps = 0;
    while (world.finished < requests) {
        ASSERT_LT(++steps, 20000) << "no progress";
        if (world.arrived < requests && world.uniform(0, 2) == 0) world.arrive();
        if (!world.alive.empty() && world.uniform(0, 40) == 0) {
            ASSERT_NO_FATAL_FAILURE(world.leave());
        }
        if (world.uniform(0, 200) == 0) world.pool.forget_free();
        if (world.scheduler.idle()) continue;
        ASSERT_NO_FATAL_FAILURE(world.run_step());
    }
    EXPECT_TRUE(world.scheduler.idle());
    EXPECT_EQ(world.pool.num_free(), world.pool.num_blocks()) << "leak";
    world.tally.preemptions = world.scheduler.preemptions();
    EXPECT_TRUE(world.options.prefix_caching || world.tally.cached_tokens == 0);
}

class SchedulerSim : public ::testing::TestWithParam<uint32_t> {};

TEST_P(SchedulerSim, EveryRequestFinishesAsIfAlone) {
    std::mt19937 rng(GetParam());
    World world(GetParam(), any_options(rng));
    live(world);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerSim, ::testing::Range(0u, 500u));

// The worlds above would prove little if nothing happened in them.
TEST(SchedulerSimulation, HasEverythingInIt) {
    Tally sum;
    for (uint32_t seed = 0; seed < 60; ++seed) {
        std::mt19937 rng(seed);
        World world(seed, any_options(rng));
        ASSERT_NO_FATAL_FAILURE(live(world));
        const Tally& t = world.tally;
        sum.cancelled_running += t.cancelled_running, sum.cancelled_waiting += t.cancelled_waiting;
        sum.stopped += t.stopped, sum.stop_tokens += t.stop_tokens, sum.length += t.length;
        sum.cached_tokens += t.cached_tokens, sum.chunks += t.chunks;
        sum.minimum_held += t.minimum_held, sum.preemptions += t.preemptions;
    }
    EXPECT_GT(sum.cancelled_running, 50);
    EXPECT_GT(sum.cancelled_waiting, 50);
    EXPECT_GT(sum.stopped, 50);
    EXPECT_GT(sum.stop_tokens, 50);
    EXPECT_GT(sum.length, 50);
    EXPECT_GT(sum.cached_tokens, 500);
    EXPECT_GT(sum.chunks, 50);
    EXPECT_GT(sum.minimum_held, 3);
    EXPECT_GT(sum.preemptions, 50);
}

}  // namespace
}  // namespace fathom
