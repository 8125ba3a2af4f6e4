// What counting costs the I/O thread for a token and for a request, and what a scrape costs it.
#include <benchmark/benchmark.h>

#include "server/metrics.h"

namespace fathom {
namespace {

Metrics::Options options() { return {.model_name = "dsv3", .max_model_len = 163840}; }

void bench_token(benchmark::State& state) {
    Metrics metrics(options());
    for (auto _ : state) metrics.on_next_tokens(0.02);
}
BENCHMARK(bench_token);

void bench_request(benchmark::State& state) {
    Metrics metrics(options());
    const auto now = Clock::now();
    const Timeline timeline{now, now, now, now, now};
    const http::Answered answered{.method = "POST", .path = "/v1/completions", .status = 200};
    for (auto _ : state) {
        metrics.on_request(1, 100, timeline);
        metrics.on_first_token(timeline);
        metrics.on_finish(FinishReason::stop, {.prompt_tokens = 9, .generated_tokens = 99},
                          timeline);
        metrics.on_request_end(99);
        metrics.on_answered(answered, answered.path);
    }
}
BENCHMARK(bench_request);

void bench_scrape(benchmark::State& state) {
    Metrics metrics(options());
    for (auto _ : state) benchmark::DoNotOptimize(metrics.text());
}
BENCHMARK(bench_scrape)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace fathom
