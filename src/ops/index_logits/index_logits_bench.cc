// Flops are 2 * heads * 128 for each token and key, bytes those of the keys and logits; the roof is
// the vector units' peak on all threads (peak_testing.h).
#include <benchmark/benchmark.h>

#include "ops/index_logits/index_logits.h"
#include "ops/peak_testing.h"
#include "testing/cpu_stream.h"
#include "testing/paged_cache.h"

namespace fathom {
namespace {

using namespace testing;

// Arguments: tokens, context of the last one, heads, threads.
void bench(benchmark::State& state, IndexFormat format, DType dtype) {
    const int64_t T = state.range(0), L = state.range(1), H = state.range(2);
    const auto threads = static_cast<int>(state.range(3));
    CpuStream s(threads);
    KvLayout layout;
    layout.index = format;
    PagedCache cache(1, static_cast<int>(L), 64, layout.index_bytes());
    std::fill_n(cache.storage.view.as<uint8_t>(), count_of(cache.storage), uint8_t{0x31});
    auto q = normal(dtype, {T, H, 128}, 1), weights = normal(DType::f32, {T, H}, 2);
    auto logits = zeros(DType::f32, {T, L}), sequences = zeros(DType::i32, {T});
    auto positions = allocate(DType::i32, {T});
    double pairs = 0;
    for (int64_t t = 0; t < T; ++t) {
        positions.view.as<int32_t>()[t] = static_cast<int32_t>(L - T + t);
        pairs += static_cast<double>(L - T + t + 1);
    }
    const double flops = pairs * 2 * static_cast<double>(H) * 128;
    const double bytes = static_cast<double>(L * layout.index_bytes()) + pairs * 4;
    report_flops(state, threads, flops, bytes, [&] {
        ops::index_logits(s, logits, q, weights, cache.whole_blocks(),
                          {positions, sequences, cache.tables, 64}, format);
    });
}

void fp8(benchmark::State& state) { bench(state, IndexFormat::fp8, DType::f8e4m3); }
void bf16_keys(benchmark::State& state) { bench(state, IndexFormat::bf16, DType::bf16); }
void f32_keys(benchmark::State& state) { bench(state, IndexFormat::f32, DType::f32); }

BENCHMARK(fp8)
    ->Args({1, 4096, 64, 1})
    ->Args({1, 32768, 64, 1})
    ->Args({1, 131072, 64, 1})
    ->Args({1, 32768, 16, 1})
    ->Args({512, 512, 64, 1})
    ->Args({64, 8192, 64, 1})
    ->Args({1, 32768, 64, 2})
    ->Args({512, 512, 64, 2})
    ->UseManualTime()
    ->Iterations(1);
BENCHMARK(bf16_keys)
    ->Args({1, 32768, 64, 1})
    ->Args({512, 512, 64, 1})
    ->UseManualTime()
    ->Iterations(1);
BENCHMARK(f32_keys)
    ->Args({1, 32768, 64, 1})
    ->Args({512, 512, 64, 1})
    ->UseManualTime()
    ->Iterations(1);

}  // namespace
}  // namespace fathom
