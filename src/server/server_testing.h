#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "engine/runner.h"
#include "engine/step_testing.h"
#include "http/client.h"
#include "http/server.h"
#include "model/activations.h"
#include "model/load.h"
#include "server/generation_handler.h"
#include "server/metrics.h"
#include "server/model_routes.h"
#include "server/router.h"
#include "server/status_routes.h"
#include "testing/tiny_checkpoint.h"

namespace fathom::testing {

// Counts the steps that a runner may make; a test holds an engine still with it.
class Gate {
public:
    void close();                 // Whoever comes waits.
    void open();                  // For good.
    void let_through(int steps);  // So many more, while closed.
    void pass();                  // Called by the runner before a step.
    int arrivals();               // Steps that came here so far.

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = true;
    int steps_ = 0, arrivals_ = 0;
};

// A stand-in for the model: next(sequence) is the token that follows; below 0 the step fails.
class ScriptedRunner final : public StepRunner {
public:
    using Next = std::function<Token(const Sequence&)>;
    ScriptedRunner(Next next, Gate* gate) : next_(std::move(next)), gate_(gate) {}
    void run(const Batch& batch, StepResult& result) override;

private:
    const Next next_;
    Gate* const gate_;
};

// The server as `fathom serve` puts it together, on a free port, over the `reference` checkpoint.
class Service {
public:
    struct Options {
        Limits limits{.batch_tokens_max = 512,
                      .batch_sequences_max = 32,
                      .sequence_tokens_max = 512,
                      .num_blocks = 32 * 8};
        // What stands in for the model; without it the model itself, in float32.
        ScriptedRunner::Next next;
        std::vector<Token> end_tokens = {1};
        HttpFlags http = quiet();
        bool track_load = false;

        static HttpFlags quiet() {
            HttpFlags flags;
            flags.port = 0;
            flags.access_log = false;
            return flags;
        }
    };
    explicit Service(Options options);
    ~Service();

    void open();  // As when the model is loaded; until then the router says 503.

    http::Client client() const;
    // POST on a connection of its own.
    http::Response post(const std::string& body, const std::vector<http::Header>& headers = {},
                        const std::string& path = "/v1/completions");
    http::Response get(const std::string& path);
    // The events of a streamed answer, the last of them "[DONE]".
    std::vector<std::string> stream(const std::string& body,
                                    const std::string& path = "/v1/completions");
    // Runs on the I/O thread and returns when it has run.
    void on_io_thread(const std::function<void()>& f);
    // How many requests are being answered.
    int64_t open_replies();

    // The script that says `text` token by token, then the end token.
    static ScriptedRunner::Next says(std::string text);

    Gate gate;
    Engine& engine() { return *engine_; }
    const Tokenizer& tokenizer() const { return *tokenizer_; }
    const ServedModel& model() const { return model_; }
    Metrics& metrics() { return metrics_; }
    http::Server& server() { return server_; }
    http::WorkerPool& workers() { return *workers_; }
    Router& router() { return router_; }
    std::atomic<bool> healthy = true;  // What /health is told of the engine.

private:
    struct Rank;

    std::unique_ptr<Tokenizer> tokenizer_;
    ServedModel model_;
    std::unique_ptr<Rank> rank_;
    const HttpFlags http_;
    Router router_;
    http::Server server_;
    Metrics metrics_;
    StatusRoutes status_;
    std::unique_ptr<GrammarCompiler> grammars_;  // Outlives what the engine holds of it.
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<http::WorkerPool> workers_;
    std::unique_ptr<GenerationHandler> handler_;
    std::thread io_;
};

// For one answer: a sanitizer makes the model forty times slower.
inline constexpr std::chrono::minutes kPatience(5);

// Waits until `done` holds, looking every millisecond; false after ten seconds.
bool wait_until(const std::function<bool()>& done);

inline std::unique_ptr<Tokenizer> open_tokenizer() {
    Result<Tokenizer> tokenizer = Tokenizer::open(tiny_checkpoint("reference", "bf16"));
    CHECK(tokenizer.ok(), tokenizer.error().message);
    return std::make_unique<Tokenizer>(std::move(tokenizer).value());
}

inline ModelArgs load_args() {
    Result<ModelArgs> args = load_model_args(tiny_checkpoint("reference", "bf16"));
    CHECK(args.ok(), args.error().message);
    return args.value();
}

inline ServedModel served(const Tokenizer& tokenizer, const Limits& limits) {
    return {.names = {"tiny", "dsv3"},
            .path = "/models/tiny",
            .created = 1700000000,
            .tokenizer = &tokenizer,
            .vocab_size = load_args().vocab_size,
            .max_model_len = limits.sequence_tokens_max,
            .rules = {}};
}

inline http::ServerOptions options_of(const HttpFlags& flags, const Router& router) {
    http::ServerOptions options = server_options(flags);
    options.answer_headers = [&router](const http::Request& request,
                                       std::vector<http::Header>& headers) {
        router.add_headers(request, headers);
    };
    options.error_body = [](int status, std::string_view message) {
        return api::to_json(api::error_of_status(status, message));
    };
    return options;
}

inline void Gate::close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
    steps_ = 0;
}
inline void Gate::open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
}
inline void Gate::let_through(int steps) {
    const std::lock_guard lock(mutex_);
    steps_ += steps;
    changed_.notify_all();
}
inline void Gate::pass() {
    std::unique_lock lock(mutex_);
    ++arrivals_;
    changed_.wait(lock, [this] { return open_ || steps_ > 0; });
    if (!open_) --steps_;
}
inline int Gate::arrivals() {
    const std::lock_guard lock(mutex_);
    return arrivals_;
}

inline void ScriptedRunner::run(const Batch& batch, StepResult& result) {
    gate_->pass();
    for (const Batch::Item& item : batch.items) {
        const Token token = item.samples ? next_(*item.sequence) : 0;
        if (token < 0) return result.fail({Code::unavailable, "the script says so"});
        add_outcome(result, item, std::span(&token, item.samples ? 1 : 0));
    }
}

// What the real model needs around it.
struct Service::Rank {
    explicit Rank(const Limits& limits)
        : workers(/*threads=*/2),
          arena(activation_bytes(load_args(), limits, DType::f32, IndexFormat::f32, 2)) {
        stream.workers = &workers;
        stream.arena = &arena;
    }
    std::unique_ptr<StepRunner> runner(const Options& options, int vocab) {
        const ModelArgs args = load_args();
        Result<Checkpoint> checkpoint = Checkpoint::open(tiny_checkpoint("reference", "bf16"));
        CHECK(checkpoint.ok(), checkpoint.error().message);
        const KvLayout layout(args, LatentFormat::f32, IndexFormat::f32, args.n_layers,
                              options.limits.block_tokens);
        return std::make_unique<Runner>(Runner::Options{.limits = options.limits,
                                                        .dtype = DType::f32,
                                                        .end_tokens = options.end_tokens,
                                                        .vocab = vocab},
                                        load_transformer(checkpoint.value(), args, stream, {}),
                                        layout, stream);
    }
    Workers workers;
    Arena arena;
    Stream stream;
};

inline Service::Service(Options options)
    : tokenizer_(open_tokenizer()),
      model_(served(*tokenizer_, options.limits)),
      http_(options.http),
      router_(http_),
      server_(options_of(http_, router_)),
      metrics_({.model_name = "tiny", .max_model_len = model_.max_model_len}),
      status_(router_, model_, metrics_, options.track_load) {
    grammars_ =
        std::make_unique<GrammarCompiler>(*tokenizer_, options.end_tokens, model_.vocab_size);
    model_.grammars = grammars_.get();
    const Status bound = server_.bind();
    CHECK(bound.ok(), bound.error().message);
    std::unique_ptr<StepRunner> runner;
    if (options.next) {
        runner = std::make_unique<ScriptedRunner>(options.next, &gate);
    } else {
        rank_ = std::make_unique<Rank>(options.limits);
        runner = rank_->runner(options, static_cast<int>(tokenizer_->vocab_size()));
    }
    engine_ = std::make_unique<Engine>(
        SchedulerOptions{.limits = options.limits, .end_tokens = options.end_tokens},
        std::move(runner),
        [this](std::vector<TokenEvent> events) {
            server_.post([this, events = std::move(events)]() mutable {
                handler_->on_events(std::move(events));
            });
        },
        /*seed=*/0);
    workers_ = std::make_unique<http::WorkerPool>(
        2, 64, [this](std::function<void()> f) { server_.post(std::move(f)); });
    handler_ = std::make_unique<GenerationHandler>(model_, server_, *workers_, *engine_, metrics_);
    router_.set_on_answered([this](const http::Answered& answered, const std::string& route) {
        metrics_.on_answered(answered, route);
    });
    io_ = std::thread([this] {
        const Status status = server_.run(router_);
        CHECK(status.ok(), status.error().message);
    });
    on_io_thread([] {});  // It listens from here on.
}

inline Service::~Service() {
    gate.open();
    engine_->stop();
    server_.stop(std::chrono::milliseconds(0));
    io_.join();
}

inline void Service::open() {
    on_io_thread([this] {
        status_.open([this] { return healthy.load(); }, [this] { engine_->reset_prefix_cache(); });
        router_.open(model_routes(*handler_), [this](uint64_t id) { handler_->on_disconnect(id); });
    });
}

inline http::Client Service::client() const {
    Result<http::Client> client = http::Client::connect("127.0.0.1", server_.port(), kPatience);
    CHECK(client.ok(), client.error().message);
    return std::move(client).value();
}

inline http::Response Service::post(const std::string& body,
                                    const std::vector<http::Header>& headers,
                                    const std::string& path) {
    Result<http::Response> answer = client().request("POST", path, body, headers);
    CHECK(answer.ok(), answer.error().message);
    return std::move(answer).value();
}

inline http::Response Service::get(const std::string& path) {
    Result<http::Response> answer = client().request("GET", path);
    CHECK(answer.ok(), answer.error().message);
    return std::move(answer).value();
}

inline std::vector<std::string> Service::stream(const std::string& body, const std::string& path) {
    http::Client connection = client();
    const Status sent = connection.send("POST", path, body);
    CHECK(sent.ok(), sent.error().message);
    Result<http::Response> head = connection.receive_head();
    CHECK(head.ok() && head.value().status == 200, head.ok() ? head.value().body : "no answer");
    std::vector<std::string> events;
    for (;;) {
        Result<std::optional<std::string>> event = connection.next_event();
        CHECK(event.ok(), event.error().message);
        if (!event.value()) return events;
        events.push_back(*event.value());
    }
}

inline void Service::on_io_thread(const std::function<void()>& f) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    server_.post([&] {
        f();
        const std::lock_guard lock(mutex);
        done = true;
        changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
}

inline int64_t Service::open_replies() {
    int64_t open = 0;
    on_io_thread([&] { open = handler_->open_replies(); });
    return open;
}

inline ScriptedRunner::Next Service::says(std::string text) {
    std::vector<Token> tokens = open_tokenizer()->encode(text);
    return [tokens = std::move(tokens)](const Sequence& sequence) {
        const size_t at = sequence.generated();
        return at < tokens.size() ? tokens[at] : Token{1};
    };
}

inline bool wait_until(const std::function<bool()>& done) {
    for (int i = 0; i < 10'000; ++i) {
        if (done()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
}

}  // namespace fathom::testing
