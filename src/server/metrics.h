#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine_stats.h"
#include "http/exchange.h"
#include "server/timeline.h"

namespace fathom {

// What the engine has done since it started, and does now. Asked for when metrics are scraped.
struct EngineFigures {
    int64_t running = 0, waiting = 0;
    double cache_usage = 0;  // 0..1, of the blocks of the cache
    int64_t preemptions = 0;
    int64_t prompt_tokens = 0, generated_tokens = 0;
    int64_t prefix_queries = 0, prefix_hits = 0;  // tokens
    // Steps by how many tokens they computed: one count per bound of StepTokens, then those above;
    // empty: not counted.
    std::vector<int64_t> steps_by_tokens;
    int64_t step_tokens = 0;  // The sum over all steps.
    // Speculative decoding.
    int64_t drafts = 0, draft_tokens = 0, accepted_tokens = 0;
    std::vector<int64_t> accepted_by_position;
};

// The metrics of GET /metrics: vLLM's names, types, labels and buckets, so that its dashboards and
// benchmarks work, all there from the start with the value 0. Counting costs some ten nanoseconds
// an event. Handlers call it on the I/O thread; text() may come from any.
class Metrics {
public:
    struct Options {
        std::string model_name;  // The first served name.
        std::string engine = "0";
        int64_t max_model_len = 0;  // Bounds the buckets of lengths.
        // Labels of vllm:cache_config_info: block_size, num_gpu_blocks, cache_dtype ...
        std::vector<std::pair<std::string, std::string>> cache_config;
        int draft_tokens = 0;  // Of speculative decoding; 0: off.
    };
    explicit Metrics(const Options& options);
    ~Metrics();

    // From now on the engine's part is asked for; null ends that. I/O thread, as text() then.
    void set_engine(std::function<EngineFigures()> figures);

    // A request was read, checked and given to the engine, all its choices at once.
    void on_request(int64_t n, int64_t max_tokens, const Timeline& timeline);
    // A choice: its first token; then each event that brings it tokens, after `gap_s`; its end.
    void on_first_token(const Timeline& timeline);
    void on_next_tokens(double gap_s);
    struct Choice {
        int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0, max_tokens = 0;
    };
    void on_finish(FinishReason reason, const Choice& choice, const Timeline& timeline);
    // The last choice of a request has ended; the longest of them drew so many tokens.
    void on_request_end(int64_t most_generated);

    // A request of any kind is over. `route` becomes a label: of the server's own paths, or "none".
    void on_answered(const http::Answered& answered, const std::string& route);

    // In Prometheus' text format.
    std::string text();
    static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom
