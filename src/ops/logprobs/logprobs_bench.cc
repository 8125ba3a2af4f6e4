#include <benchmark/benchmark.h>

#include <vector>

#include "ops/copy_testing.h"
#include "ops/logprobs/logprobs.h"
#include "testing/cpu_stream.h"

namespace fathom {
namespace {

constexpr int kVocab = 129280;

// Arguments: rows, and how many of the likeliest are asked of each.
void logprobs(benchmark::State& state) {
    const int64_t R = state.range(0), k = state.range(1);
    testing::CpuStream s(1);
    const auto logits = testing::normal(DType::f32, {R, kVocab}, 1, 2.5f);
    std::vector<std::vector<RankedToken>> top(R, std::vector<RankedToken>(k));
    std::vector<LogprobsRow> rows;
    for (int64_t i = 0; i < R; ++i)
        rows.push_back({.row = i, .token = static_cast<Token>(7 * i), .top = top[i]});
    for (auto _ : state) ops::logprobs(s, rows, logits, kVocab);
    testing::report_bytes(state, R * kVocab * 4);
    state.counters["us/row"] =
        benchmark::Counter(static_cast<double>(R * state.iterations()) / 1e6,
                           benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(logprobs)->Args({1, 0})->Args({1, 5})->Args({1, 20})->Args({64, 20})->Args({1, kVocab});

}  // namespace
}  // namespace fathom
