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
    int prompt_rows = 0, rows_kept = 0, rows_short = 0, overtaken = 0, salted_hits = 0;
    int64_t preemptions = 0;
};

// What the front end would know of a request.
struct Client {
    std::vector<Token> tokens;  // The prompt, and what was generated.
    size_t prompt = 0;
    int max_tokens = 0, min_tokens = 0;
    bool ignore_eos = false, wants_prompt_logprobs = false;
    std::vector<Token> stops;
    int priority = 0;
    std::string salt;
    std::vector<Token> told;  // To its constraint.
};

struct Listener : TokenConstraint {
    explicit Listener(std::vector<Token>* told) : told(told) {}
    bool allowed(std::span<uint32_t>) override { return false; }
    void accept(Token token) override { told->push_back(token); }
    std::vector<Token>* told;
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
    void report(const Batch::Item& item, StepResult& result);
    void check_batch(const Batch& batch, const std::vector<uint64_t>& before, int running);
    void take(const TokenEvent& event);
    void take_prompt_logprobs(const Client& client, const TokenEvent& event);
    FinishReason expected_end(const Client& client, Token token) const;
    int priority_of(uint64_t id) const;
    void check();

    std::mt19937 rng;
    const SchedulerOptions options;
    const Limits limits;
    BlockPool pool;
    Scheduler scheduler;
    std::vector<uint64_t> kv;  // Slot -> the key it holds.
    std::map<uint64_t, Client> alive;
    std::map<uint64_t, int> cached;
    uint64_t arrived = 0, finished = 0;
    Tally tally;
};

void World::arrive() {
    const uint64_t id = arrived++;
    Client& c = alive[id];
    c.max_tokens = uniform(1, 12);
    c.min_tokens = uniform(0, 1) * uniform(0, c.max_tokens);
    c.ignore_eos = uniform(0, 3) == 0;
    c.wants_prompt_logprobs = uniform(0, 3) == 0;
    c.priority = uniform(-1, 1);
    c.salt = std::string(uniform(0, 3) / 2, 's');
    if (uniform(0, 2) == 0)
        for (int i = 0; i < 8; ++i) c.stops.push_back(uniform(0, 255));
    const int length = uniform(1, limits.sequence_tokens_max - c.max_tokens);
    const int family = uniform(0, 3);  // Four system prompts, shared by all requests.
    const int period = uniform(0, 1) == 0 ? 8 : 1000;  // Equal blocks under unequal prefixes.
    const int shared = uniform(0, length);
    for (int i = 0; i < length; ++i)
        c.tokens.push_back(i < shared ? family * 1000 + i % period : uniform(0, 254));
    c.prompt = c.tokens.size();
    Request r{.id = id,
              .prompt = c.tokens,
              .max_tokens = c.max_tokens,
              .min_tokens = c.min_tokens,
              .ignore_eos = c.ignore_eos,
              .stop_token_ids = c.stops,
              .constraint = std::make_unique<Listener>(&c.told),
              .priority = c.priority,
              .cache_salt = c.salt};
    if (c.wants_prompt_logprobs) r.prompt_logprobs = 0;
    if (id % 2 == 0) r.logprobs = 0;
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
    uint64_t key = kNoTokens ^ std::hash<std::string>()(s.request.cache_salt);
    for (int i = 0; i < end; ++i) {
        key = key_of(key, s.tokens[i]);
        if (i >= s.kv.computed) {
            ASSERT_EQ(pool.references(s.kv.blocks[i / B]), 1) << "writes into a shared block";
            slot(i) = key;
        }
        ASSERT_EQ(slot(i), key) << "sequence " << s.request.id << " reads a foreign key";
    }
}

// Logprobs of the positions whose logits were asked for; the rank tells the position.
void World::report(const Batch::Item& item, StepResult& result) {
    const Sequence& s = *item.sequence;
    const int end = s.kv.computed + item.num_tokens;
    std::vector<TokenLogprobs> rows, of_drawn;
    for (int at = end - item.num_logits; at < end - item.samples; ++at) {
        ASSERT_GE(at, s.kv.computed) << "logits of a token that is not in the step";
        rows.push_back({.token = s.tokens.at(at + 1), .rank = at});
    }
    tally.prompt_rows += static_cast<int>(std::ssize(rows));
    tally.rows_kept += s.kv.computed < std::ssize(s.prompt_logprobs);
    const Token token = next_token(s.tokens);
    if (item.samples && s.request.logprobs) of_drawn.push_back({.token = token});
    result.add({&token, item.samples ? 1u : 0u}, std::move(of_drawn), std::move(rows));
}

FinishReason World::expected_end(const Client& c, Token token) const {
    const int count = static_cast<int>(c.tokens.size() - c.prompt);
    if (count >= c.min_tokens &&
        ((token == kEnd && !c.ignore_eos) || std::ranges::find(c.stops, token) != c.stops.end()))
        return FinishReason::stop;
    return count >= c.max_tokens ? FinishReason::length : FinishReason::none;
}

int World::priority_of(uint64_t id) const {
    return options.priority_scheduling ? alive.at(id).priority : 0;
}

// Each position once and in order, all of them with the first event.
void World::take_prompt_logprobs(const Client& c, const TokenEvent& event) {
    const bool due = c.wants_prompt_logprobs && c.tokens.size() == c.prompt;
    ASSERT_EQ(event.prompt_logprobs.size(), due ? c.prompt - 1 : 0) << "sequence " << event.id;
    for (size_t i = 0; i < event.prompt_logprobs.size(); ++i) {
        ASSERT_EQ(event.prompt_logprobs[i].rank, static_cast<int>(i));
        ASSERT_EQ(event.prompt_logprobs[i].token, c.tokens[i + 1]);
    }
    if (c.wants_prompt_logprobs) {
        ASSERT_EQ(event.cached_tokens, 0);
    }
}

void World::take(const TokenEvent& event) {
    ASSERT_TRUE(alive.contains(event.id)) << event.id << " speaks after its end";
    Client& c = alive.at(event.id);
    ASSERT_EQ(event.tokens.size(), 1u);
    const Token token = event.tokens[0];
    ASSERT_EQ(token, next_token(c.tokens)) << "sequence " << event.id;
    ASSERT_NO_FATAL_FAILURE(take_prompt_logprobs(c, event));
    ASSERT_EQ(event.logprobs.size(), event.id % 2 == 0 ? 1u : 0u);
    if (c.tokens.size() == c.prompt) {
        tally.cached_tokens += event.cached_tokens;
        tally.salted_hits += !c.salt.empty() && event.cached_tokens > 0;
    }
    ASSERT_EQ(event.cached_tokens % limits.block_tokens, 0);
    ASSERT_EQ(event.cached_tokens, cached.try_emplace(event.id, event.cached_tokens).first->second)
        << "what was found at first, not after a preemption";
    c.tokens.push_back(token);
    ASSERT_TRUE(std::ranges::equal(c.told, std::span(c.tokens).subspan(c.prompt)));
    ASSERT_EQ(event.finish, expected_end(c, token));
    tally.minimum_held += token == kEnd && !c.ignore_eos && event.finish == FinishReason::none;
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

// `before`: the ids in their order when the step began, of which so many were running.
void World::check_batch(const Batch& batch, const std::vector<uint64_t>& before, int running) {
    ASSERT_LE(batch.num_tokens, limits.batch_tokens_max);
    ASSERT_LE(batch.num_logits, limits.logits_rows_max);
    ASSERT_LE(batch.items.size(), static_cast<size_t>(limits.batch_sequences_max));
    int num_tokens = 0, num_logits = 0;
    bool first_advances = false, in_prompts = false;
    for (const Batch::Item& item : batch.items) {
        num_tokens += item.num_tokens;
        num_logits += item.num_logits;
        first_advances |= item.sequence->request.id == before[0];
        ASSERT_EQ(item.samples, item.num_tokens == item.sequence->pending());
        const bool begun = std::find(before.begin(), before.begin() + running,
                                     item.sequence->request.id) == before.begin() + running;
        ASSERT_FALSE(in_prompts && !begun && item.sequence->decoding()) << "decodes come first";
        in_prompts |= begun || !item.sequence->decoding();
    }
    ASSERT_TRUE(first_advances) << "whoever else is short of blocks or rows";
    ASSERT_EQ(num_tokens, batch.num_tokens);
    ASSERT_EQ(num_logits, batch.num_logits);
    // Nobody waits behind a priority that is worse.
    const std::vector<uint64_t> ids = scheduler.ids();
    for (int i = scheduler.running() + 1; i < std::ssize(ids); ++i)
        ASSERT_LE(priority_of(ids[i - 1]), priority_of(ids[i]));
    for (int i = 1; i < scheduler.running(); ++i) tally.overtaken += ids[i - 1] > ids[i];
}

void World::run_step() {
    const std::vector<uint64_t> before = scheduler.ids();
    const int running = scheduler.running();
    const int64_t preempted = scheduler.counts().preemptions;
    const Batch& batch = scheduler.step();
    ASSERT_FALSE(batch.items.empty());
    ASSERT_NO_FATAL_FAILURE(
        check_batch(batch, before, preempted == scheduler.counts().preemptions ? running : 0));
    StepResult result;
    for (const Batch::Item& item : batch.items) {
        ASSERT_NO_FATAL_FAILURE(compute(item));
        tally.chunks += !item.samples;
        tally.rows_short += !item.samples && batch.num_tokens < limits.batch_tokens_max;
        ASSERT_NO_FATAL_FAILURE(report(item, result));
    }
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
    o.limits.logits_rows_max = pick(o.limits.batch_sequences_max, 20);
    o.priority_scheduling = pick(0, 1) == 0;
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
    world.tally.preemptions = world.scheduler.counts().preemptions;
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
        sum.prompt_rows += t.prompt_rows, sum.rows_kept += t.rows_kept;
        sum.rows_short += t.rows_short, sum.overtaken += t.overtaken;
        sum.salted_hits += t.salted_hits;
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
    EXPECT_GT(sum.prompt_rows, 500);
    EXPECT_GT(sum.rows_kept, 5) << "preempted with a part of its prompt reported";
    EXPECT_GT(sum.rows_short, 50);
    EXPECT_GT(sum.overtaken, 50);
    EXPECT_GT(sum.salted_hits, 20);
}

}  // namespace
}  // namespace fathom
