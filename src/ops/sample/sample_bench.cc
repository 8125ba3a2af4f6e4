#include <benchmark/benchmark.h>

#include "ops/copy_testing.h"
#include "ops/sample/sample.h"
#include "testing/cpu_stream.h"

namespace fathom {
namespace {

constexpr int kVocab = 129280;

// Logits as a model's: most of them near 0, some tokens far above (`peaked`), or only normal
// numbers of deviation 2.5, the worst that is likely.
void sample(benchmark::State& state, SampleRow how, bool peaked) {
    const int64_t S = state.range(0);
    testing::CpuStream s(1);
    auto logits = testing::normal(DType::f32, {S, kVocab}, 1, 2.5f);
    auto tokens = testing::zeros(DType::i32, {S});
    for (int64_t i = 0; peaked && i < 40 * S; ++i)
        logits.view.as<float>()[i / 40 * kVocab + i % 40 * 3001] +=
            12 + 0.2f * static_cast<float>(i % 40);
    std::vector<SampleRow> rows(S, how);
    for (auto _ : state) {
        for (int64_t i = 0; i < S; ++i) ++rows[i].position;
        ops::sample(s, tokens, logits, rows, kVocab);
    }
    testing::report_bytes(state, S * kVocab * 4);
    state.counters["us/row"] =
        benchmark::Counter(static_cast<double>(S * state.iterations()) / 1e6,
                           benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void greedy(benchmark::State& state) { sample(state, {}, true); }
void temperature(benchmark::State& state) { sample(state, {.temperature = 1}, true); }
void min_p(benchmark::State& state) { sample(state, {.temperature = 1, .min_p = 0.05f}, true); }
void top_k(benchmark::State& state) { sample(state, {.temperature = 1, .top_k = 50}, true); }
void top_p(benchmark::State& state) { sample(state, {.temperature = 1, .top_p = 0.95f}, true); }
void top_k_top_p(benchmark::State& state) {
    sample(state, {.temperature = 0.6f, .top_p = 0.95f, .top_k = 50}, true);
}
void flat_temperature(benchmark::State& state) { sample(state, {.temperature = 1}, false); }
void flat_top_p(benchmark::State& state) {
    sample(state, {.temperature = 1, .top_p = 0.95f}, false);
}

BENCHMARK(greedy)->Arg(1)->Arg(8)->Arg(64);
BENCHMARK(temperature)->Arg(1)->Arg(64);
BENCHMARK(min_p)->Arg(64);
BENCHMARK(top_k)->Arg(64);
BENCHMARK(top_p)->Arg(1)->Arg(64);
BENCHMARK(top_k_top_p)->Arg(64);
BENCHMARK(flat_temperature)->Arg(64);
BENCHMARK(flat_top_p)->Arg(64);

}  // namespace
}  // namespace fathom
