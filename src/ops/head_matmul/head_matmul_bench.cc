// The two halves of kv_b for T tokens of 128 heads, 16.8 MB of weights each, beside the bandwidth
// with which as many threads read memory.
#include <benchmark/benchmark.h>

#include "ops/head_matmul/head_matmul.h"
#include "ops/linear/linear_testing.h"
#include "testing/roof.h"

namespace fathom {
namespace {

constexpr int64_t kHeads = 128, kCopies = 12;  // Copies, so that no cache has what is read.

void bench(benchmark::State& state, int64_t N, int64_t K) {
    const auto threads = static_cast<int>(state.range(0));
    const int64_t T = state.range(1), bytes = packed_bytes(Linear::Kind::bf16, N, K);
    testing::CpuStream s(threads);
    const auto first = testing::random_linear(Linear::Kind::bf16, N, K, 1);
    const Buffer memory = Buffer::host(kCopies * kHeads * bytes);
    std::vector<Linear> linears;
    for (int64_t i = 0; i < kCopies * kHeads; ++i) {
        linears.push_back(first.linear);
        linears[i].packed.data = static_cast<char*>(memory.data()) + i * bytes;
        std::memcpy(linears[i].packed.data, first.linear.packed.data, bytes);
    }
    const auto x = testing::normal(DType::bf16, {T, kHeads, K}, 2);
    const auto y = testing::zeros(DType::bf16, {T, kHeads, N});
    int64_t next = 0;
    const auto call = [&] {
        const std::span<const Linear> all(linears);
        ops::head_matmul(s, y, x, all.subspan(next++ % kCopies * kHeads, kHeads));
    };
    double seconds = 1e30;
    for (auto _ : state) seconds = testing::best_seconds(call, testing::clock_for(threads), 1.0);
    const auto read = static_cast<double>(kHeads * bytes);
    state.counters["us"] = seconds * 1e6;
    state.counters["GB/s"] = read / seconds * 1e-9;
    state.counters["of_read"] = read / seconds / testing::read_bandwidth(s.workers);
    state.counters["GFLOP/s"] = 2e-9 * static_cast<double>(T * kHeads * N * K) / seconds;
}

void query_to_latent(benchmark::State& state) { bench(state, 512, 128); }
void latent_to_value(benchmark::State& state) { bench(state, 128, 512); }

void sizes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"threads", "T"})->ArgsProduct({{1, 2}, {1, 16, 512}})->Iterations(1);
}
BENCHMARK(query_to_latent)->Apply(sizes);
BENCHMARK(latent_to_value)->Apply(sizes);

}  // namespace
}  // namespace fathom
