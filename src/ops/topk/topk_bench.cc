// Bytes are the logits read once; the roof of one core is its bandwidth from where they lie.
#include <benchmark/benchmark.h>

#include "ops/topk/topk.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"

namespace fathom {
namespace {

using namespace testing;

// Arguments: rows, their length, K.
void topk(benchmark::State& state) {
    const int64_t T = state.range(0), P = state.range(1), K = state.range(2);
    CpuStream s(2);
    auto logits = normal(DType::f32, {T, P}, 1);
    auto positions = allocate(DType::i32, {T}), indices = zeros(DType::i32, {T, K});
    std::fill_n(positions.view.as<int32_t>(), T, static_cast<int32_t>(P - 1));
    for (auto _ : state) ops::topk(s, indices, logits, positions);
    state.SetBytesProcessed(state.iterations() * T * P * 4);
}

BENCHMARK(topk)
    ->Args({1, 2048, 2048})
    ->Args({1, 4096, 2048})
    ->Args({1, 32768, 2048})
    ->Args({1, 163840, 2048})
    ->Args({64, 512, 64})
    ->Args({64, 8192, 2048})
    ->Args({512, 512, 2048})
    ->UseRealTime();

}  // namespace
}  // namespace fathom
