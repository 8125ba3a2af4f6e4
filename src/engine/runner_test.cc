// Requests through scheduler and runner on a tiny model: what is drawn, and which logprobs are
// told.
#include "engine/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include "engine/scheduler.h"
#include "testing/tiny_model.h"

namespace fathom {
namespace {

using testing::TinyModel;

constexpr Token kEnd = 1;
constexpr int kVocab = 500;  // The head has 512 rows.

std::vector<Token> random_tokens(int count, uint32_t seed) {
    std::mt19937 rng(seed);
    std::vector<Token> tokens(count);
    for (Token& t : tokens) t = static_cast<Token>(3 + rng() % 490);
    return tokens;
}

// All that a request was told, its events put together.
struct Told {
    std::vector<Token> tokens;
    std::vector<TokenLogprobs> logprobs, prompt_logprobs;
    FinishReason finish = FinishReason::none;
};

bool same(const TokenLogprobs& a, const TokenLogprobs& b) {  // To the bit.
    const auto equal = [](const RankedToken& x, const RankedToken& y) {
        return x.token == y.token && x.logprob == y.logprob;
    };
    return a.token == b.token && a.logprob == b.logprob && a.rank == b.rank &&
           std::ranges::equal(a.top, b.top, equal);
}

// What the machine is: the size of its steps and of its cache.
struct Shape {
    int batch_tokens = 512, logits_rows = 81, num_blocks = 80, block_tokens = 64;
};

class Rank {
public:
    explicit Rank(Shape shape = {})
        : m_("reference", "bf16", testing::kRounded, shape.block_tokens),
          options_(options_of(m_.limits, shape)),
          pool_(options_.limits.num_blocks, shape.block_tokens, {1, 2}),
          scheduler_(options_, pool_),
          runner_({.limits = options_.limits,
                   .dtype = m_.numerics.dtype,
                   .end_tokens = {kEnd},
                   .vocab = kVocab},
                  std::move(m_.model),
                  KvLayout(m_.args, m_.numerics.latent, m_.numerics.index, m_.args.n_layers,
                           shape.block_tokens),
                  m_.stream) {}

    void add(Request request) { scheduler_.add(std::move(request)); }
    std::map<uint64_t, Told> run() {
        std::map<uint64_t, Told> all;
        while (!scheduler_.idle()) {
            StepResult result;
            runner_.run(scheduler_.step(), result);
            for (TokenEvent& event : scheduler_.commit(result)) {
                Told& told = all[event.id];
                std::ranges::copy(event.tokens, std::back_inserter(told.tokens));
                std::ranges::move(event.logprobs, std::back_inserter(told.logprobs));
                std::ranges::move(event.prompt_logprobs, std::back_inserter(told.prompt_logprobs));
                told.finish = event.finish;
            }
        }
        return all;
    }
    Told run_one(Request request) {
        add(std::move(request));
        return run().begin()->second;
    }
    // The logits after each token of `tokens`, by the model itself.
    std::vector<std::vector<float>> logits(const std::vector<Token>& tokens) {
        std::vector<std::vector<float>> rows;
        for (size_t n = 1; n <= tokens.size(); ++n)
            rows.push_back(run_chunked(m_, {tokens.begin(), tokens.begin() + static_cast<int>(n)},
                                       static_cast<int>(n) - 1, 1));
        return rows;
    }
    int64_t preemptions() const { return scheduler_.counts().preemptions; }

private:
    static SchedulerOptions options_of(Limits limits, const Shape& shape) {
        limits.batch_tokens_max = shape.batch_tokens;
        limits.logits_rows_max = shape.logits_rows;
        limits.sequence_tokens_max = 256;
        limits.num_blocks = shape.num_blocks;
        return {.limits = limits, .end_tokens = {kEnd}};
    }

    TinyModel m_;
    const SchedulerOptions options_;
    BlockPool pool_;
    Scheduler scheduler_;
    Runner runner_;
};

Request request(uint64_t id, int prompt = 90) {
    return {.id = id,
            .prompt = random_tokens(prompt, static_cast<uint32_t>(id)),
            .sampling = {.temperature = 1, .seed = 7 + id},
            .max_tokens = 12,
            .ignore_eos = true};
}

Request mine() {
    Request r = request(1);
    r.logprobs = 5;
    r.prompt_logprobs = 3;
    r.sampling.logit_bias = {{40, 3}};
    r.sampling.repetition_penalty = 1.2f;
    return r;
}

void expect_same(const Told& got, const Told& want, const std::string& where) {
    EXPECT_EQ(got.tokens, want.tokens) << where;
    EXPECT_TRUE(std::ranges::equal(got.logprobs, want.logprobs, same)) << where;
    EXPECT_TRUE(std::ranges::equal(got.prompt_logprobs, want.prompt_logprobs, same)) << where;
}

TEST(RunnerLogprobs, AreTheSameBitsInAnyCompanyAndAfterPreemption) {
    const Told want = Rank().run_one(mine());
    ASSERT_EQ(want.prompt_logprobs.size(), 89u);
    ASSERT_EQ(want.logprobs.size(), 12u);
    const std::map<std::string, Shape> shapes = {
        {"small steps", {.batch_tokens = 23}},
        {"few rows", {.logits_rows = 17}},
        {"small blocks", {.batch_tokens = 40, .num_blocks = 320, .block_tokens = 16}},
        {"short of blocks", {.logits_rows = 20, .num_blocks = 17, .block_tokens = 16}}};
    for (const auto& [where, shape] : shapes) {
        Rank rank(shape);
        for (uint64_t id = 2; id < 9; ++id) {
            Request other = request(id, 5 + 9 * static_cast<int>(id));
            if (id % 3 == 0) other.prompt_logprobs = 1;
            if (id % 2 == 0) other.logprobs = kLogprobsAll;
            rank.add(std::move(other));
        }
        rank.add(mine());
        expect_same(rank.run().at(1), want, where);
        EXPECT_EQ(rank.preemptions() > 0, where == "short of blocks") << where;
    }
}

// Of the raw logits, whatever bias, penalties and masks then made of them.
TEST(RunnerLogprobs, AreThoseOfTheModelsLogits) {
    Rank rank;
    Request r = mine();
    r.sampling.allowed_token_ids = {5, 40, 77, 300};
    std::vector<Token> tokens = r.prompt;
    const Told told = rank.run_one(std::move(r));
    tokens.insert(tokens.end(), told.tokens.begin(), told.tokens.end());
    std::vector<TokenLogprobs> all = told.prompt_logprobs;
    all.insert(all.end(), told.logprobs.begin(), told.logprobs.end());
    Rank other;
    const auto rows = other.logits(tokens);
    ASSERT_EQ(all.size(), tokens.size() - 1);
    for (size_t i = 0; i < all.size(); ++i) {
        const std::vector<float>& row = rows[i];
        const Token token = tokens[i + 1];
        double sum = 0;
        for (const float logit : row) sum += std::exp(double{logit});
        EXPECT_EQ(all[i].token, token) << i;
        EXPECT_NEAR(all[i].logprob, row[token] - std::log(sum), 1e-4) << i;
        const auto end = row.begin() + kVocab;
        EXPECT_EQ(all[i].rank, 1 + std::count_if(row.begin(), end,
                                                 [&](float logit) { return logit > row[token]; }));
        ASSERT_EQ(all[i].top.size(), i < 89 ? 3u : 5u);
        EXPECT_EQ(all[i].top[0].token, std::max_element(row.begin(), end) - row.begin()) << i;
    }
    for (const Token token : told.tokens)
        EXPECT_TRUE(token == 5 || token == 40 || token == 77 || token == 300) << token;
}

TEST(RunnerLogprobs, AllAreAsManyAsTheVocabulary) {
    Request r = request(1);
    r.logprobs = kLogprobsAll;
    r.max_tokens = 1;
    const Told told = Rank().run_one(std::move(r));
    ASSERT_EQ(told.logprobs.at(0).top.size(), static_cast<size_t>(kVocab));
    EXPECT_EQ(told.logprobs[0].top[told.logprobs[0].rank - 1].token, told.tokens[0]);
}

// Allows one token after the other, and then the end.
struct Script : TokenConstraint {
    explicit Script(std::vector<Token> script) : script(std::move(script)) {}
    bool allowed(std::span<uint32_t> bits) override {
        std::ranges::fill(bits, 0u);
        const Token next = at < script.size() ? script[at] : kEnd;
        bits[next / 32] |= 1u << next % 32;
        bits[kVocab / 32] |= 1u << kVocab % 32;  // No token: never drawn.
        return true;
    }
    void accept(Token token) override {
        EXPECT_EQ(token, at < script.size() ? script[at] : kEnd);
        ++at;
    }
    std::vector<Token> script;
    size_t at = 0;
};

TEST(Runner, AConstraintDecidesAlsoAfterPreemption) {
    const std::vector<Token> script = random_tokens(11, 99);
    Rank rank({.num_blocks = 17, .block_tokens = 16});
    for (uint64_t id = 2; id < 9; ++id) rank.add(request(id, 5 + 9 * static_cast<int>(id)));
    Request r = request(1);
    r.ignore_eos = false;
    r.constraint = std::make_unique<Script>(script);
    rank.add(std::move(r));
    const Told told = rank.run().at(1);
    EXPECT_EQ(std::vector<Token>(told.tokens.begin(), told.tokens.end() - 1), script);
    EXPECT_EQ(told.tokens.back(), kEnd);
    EXPECT_EQ(told.finish, FinishReason::stop);
    EXPECT_GT(rank.preemptions(), 0);
}

TEST(Runner, BiasForcesAndBadWordsForbid) {
    Rank rank;
    Request biased = request(1);
    biased.sampling.logit_bias = {{123, 100}};
    Request bad = request(2);
    bad.sampling.logit_bias = {{123, 100}, {321, 50}};
    bad.sampling.bad_words = {{123, 123}};
    rank.add(std::move(biased));
    rank.add(std::move(bad));
    const auto told = rank.run();
    EXPECT_EQ(told.at(1).tokens, std::vector<Token>(12, 123));
    for (int i = 0; i < 12; ++i) EXPECT_EQ(told.at(2).tokens[i], i % 2 == 0 ? 123 : 321);
}

TEST(Runner, MinTokensHoldBackEndAndStopTokens) {
    Request r = request(1);
    r.ignore_eos = false;
    r.min_tokens = 4;
    r.stop_token_ids = {60};
    r.sampling.logit_bias = {{kEnd, 100}, {60, 90}, {61, 60}};
    const Told told = Rank().run_one(std::move(r));
    EXPECT_EQ(told.tokens, (std::vector<Token>{61, 61, 61, 61, kEnd}));
}

// Masks that leave nothing: the end token, as often as min_tokens wants, and then it ends.
TEST(Runner, TheEndTokenIsDrawnWhereNothingIsLeft) {
    Request r = request(1);
    r.ignore_eos = false;
    r.min_tokens = 3;
    r.stop_token_ids = {60};
    r.sampling.allowed_token_ids = {60};
    const Told told = Rank().run_one(std::move(r));
    EXPECT_EQ(told.tokens, std::vector<Token>(3, kEnd));
    EXPECT_EQ(told.finish, FinishReason::stop);
}

}  // namespace
}  // namespace fathom
