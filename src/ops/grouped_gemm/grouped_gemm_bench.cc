// The experts of one layer of V3.2, w1: T tokens choose 8 of 64 (a rank's share) at random. GB/s of
// the weights that are read, each once, beside the bandwidth with which as many threads read
// memory.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <numeric>

#include "ops/grouped_gemm/grouped_gemm.h"
#include "ops/linear/linear_testing.h"
#include "testing/roof.h"

namespace fathom {
namespace {

using Kind = Linear::Kind;

constexpr int64_t kExperts = 64, kChosen = 8, kN = 2048, kK = 7168;

// All experts have the same numbers, each its own memory.
struct Experts {
    explicit Experts(Kind kind) : first(testing::random_linear(kind, kN, kK, 1)) {
        const int64_t bytes = (packed_bytes(kind, kN, kK) + 4095) / 4096 * 4096;
        memory = Buffer::host(kExperts * bytes);
        for (int64_t e = 0; e < kExperts; ++e) {
            linears.push_back(first.linear);
            linears[e].packed.data = static_cast<char*>(memory.data()) + e * bytes;
            std::memcpy(linears[e].packed.data, first.linear.packed.data,
                        packed_bytes(kind, kN, kK));
        }
    }
    testing::LinearOwner first;
    Buffer memory;
    std::vector<Linear> linears;
};

void bench(benchmark::State& state, Kind kind) {
    const auto threads = static_cast<int>(state.range(0));
    const int64_t T = state.range(1), R = T * kChosen;
    testing::CpuStream s(threads);
    const Experts experts(kind);
    const auto x = testing::normal(DType::bf16, {R, kK}, 2);
    const auto y = testing::zeros(DType::bf16, {R, kN}),
               offsets = testing::zeros(DType::i32, {kExperts + 1});
    std::mt19937 rng(3);
    std::vector<int> ids(kExperts);
    std::iota(ids.begin(), ids.end(), 1);
    for (int64_t t = 0; t < T; ++t) {
        std::shuffle(ids.begin(), ids.end(), rng);
        for (int i = 0; i < kChosen; ++i) ++offsets.view.as<int32_t>()[ids[i]];
    }
    auto* counts = offsets.view.as<int32_t>();
    const auto active = kExperts - std::count(counts + 1, counts + kExperts + 1, 0);
    std::partial_sum(counts, counts + kExperts + 1, counts);
    double seconds = 1e30;
    for (auto _ : state)
        seconds =
            testing::best_seconds([&] { ops::grouped_gemm(s, y, x, offsets, experts.linears); },
                                  testing::clock_for(threads), 1.0);
    const auto bytes = static_cast<double>(active * packed_bytes(kind, kN, kK));
    state.counters["experts"] = static_cast<double>(active);
    state.counters["ms"] = seconds * 1e3;
    state.counters["GB/s"] = bytes / seconds * 1e-9;
    state.counters["of_read"] = bytes / seconds / testing::read_bandwidth(s.workers);
    state.counters["GFLOP/s"] = 2e-9 * static_cast<double>(R * kN * kK) / seconds;
}

void fp8_experts(benchmark::State& s) { bench(s, Kind::fp8); }
void w8a8_experts(benchmark::State& s) { bench(s, Kind::w8a8_dynamic); }

BENCHMARK(fp8_experts)
    ->ArgNames({"threads", "T"})
    ->ArgsProduct({{1, 2}, {1, 8, 512}})
    ->Iterations(1);
BENCHMARK(w8a8_experts)
    ->ArgNames({"threads", "T"})
    ->ArgsProduct({{1, 2}, {1, 8, 512}})
    ->Iterations(1);

}  // namespace
}  // namespace fathom
