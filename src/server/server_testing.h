#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"
#include "http/client.h"
#include "http/server.h"
#include "server/completion_handler.h"
#include "server/router.h"

namespace fathom::testing {

// Counts the steps that a runner may make; a test holds an engine still with it.
class Gate {
public:
    void close();                 // Whoever comes waits.
    void open();                  // For good.
    void let_through(int steps);  // So many more, while closed.
    void pass();                  // Called by the runner before a step.

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = true;
    int steps_ = 0;
};

// A stand-in for the model: next(sequence) is the token that follows.
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
    };
    explicit Service(Options options);
    ~Service();

    void open();  // As when the model is loaded; until then the router says 503.

    http::Client client() const;
    // POST /v1/completions on a connection of its own.
    http::Response post(const std::string& body, const std::vector<http::Header>& headers = {});
    http::Response get(const std::string& path);
    // The events of a streamed answer, the last of them "[DONE]".
    std::vector<std::string> stream(const std::string& body);
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

private:
    struct Rank;

    std::unique_ptr<Tokenizer> tokenizer_;
    ServedModel model_;
    std::unique_ptr<Rank> rank_;
    http::Server server_;
    Router router_;
    std::unique_ptr<Engine> engine_;
    std::unique_ptr<http::WorkerPool> workers_;
    std::unique_ptr<CompletionHandler> handler_;
    std::thread io_;
};

// Waits until `done` holds, looking every millisecond; false after ten seconds.
bool wait_until(const std::function<bool()>& done);

}  // namespace fathom::testing
