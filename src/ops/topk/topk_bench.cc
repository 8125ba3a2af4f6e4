// Bytes are the logits read once; `of_read` is the share of the bandwidth with which one thread
// reads memory (testing/roof.h). The fastest call counts.
#include <benchmark/benchmark.h>

#include "ops/topk/topk.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"
#include "testing/roof.h"

namespace fathom {
namespace {

using namespace testing;

// Arguments: rows, their length, K.
void topk(benchmark::State& state) {
    const int64_t T = state.range(0), P = state.range(1), K = state.range(2);
    CpuStream s(1);
    auto logits = normal(DType::f32, {T, P}, 1);
    auto positions = allocate(DType::i32, {T}), indices = zeros(DType::i32, {T, K});
    std::fill_n(positions.view.as<int32_t>(), T, static_cast<int32_t>(P - 1));
    static const double read = read_bandwidth(s.workers);
    double seconds = 0;
    for (auto _ : state) {
        seconds = best_seconds([&] { ops::topk(s, indices, logits, positions); }, Clock::cpu);
        state.SetIterationTime(seconds);
    }
    state.counters["B/s"] = static_cast<double>(T * P * 4) / seconds;
    state.counters["of_read"] = static_cast<double>(T * P * 4) / seconds / read;
}

BENCHMARK(topk)
    ->Args({1, 2048, 2048})
    ->Args({1, 4096, 2048})
    ->Args({1, 32768, 2048})
    ->Args({1, 163840, 2048})
    ->Args({64, 512, 64})
    ->Args({64, 8192, 2048})
    ->Args({512, 512, 2048})
    ->UseManualTime()
    ->Iterations(1);

}  // namespace
}  // namespace fathom
