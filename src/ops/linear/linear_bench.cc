// GB/s and GFLOP/s of ops::linear beside what this machine can do in the same run: `of_read` is the
// share of the bandwidth with which as many threads read memory, `of_peer` the speed relative to
// oneDNN's (fp8 against its bf16). The fastest call counts (testing/roof.h).
#include <benchmark/benchmark.h>

#include <map>
#include <tuple>

#include "ops/linear/linear.h"
#include "ops/linear/linear_testing.h"
#include "ops/linear/peer.h"
#include "testing/roof.h"

namespace fathom {
namespace {

using Kind = Linear::Kind;

// Threads, with the roofs that they have together.
struct Machine {
    explicit Machine(int threads)
        : s(threads),
          read(testing::read_bandwidth(s.workers)),
          copy(testing::copy_bandwidth(s.workers)) {}
    testing::CpuStream s;
    const double read, copy;
};

Machine& machine(int64_t threads) {
    static std::map<int64_t, Machine> machines;
    return machines.try_emplace(threads, static_cast<int>(threads)).first->second;
}

using Product = std::tuple<testing::PeerType, int64_t, int64_t, int64_t, int64_t>;

double peer(const Product& product, int64_t copies) {
    static std::map<Product, double> known;
    const auto [at, is_new] = known.try_emplace(product, 0);
    const auto [type, M, N, K, threads] = product;
    if (!is_new) return at->second;
    const auto t = static_cast<int>(threads);
    if (const auto call = testing::peer_product(type, M, N, K, copies, t))
        at->second = testing::best_seconds(call, testing::clock_for(t));
    return at->second;
}

// Copies of a weight, so that a call finds none of it in a cache.
struct Weights {
    Weights(Kind kind, int64_t N, int64_t K) : first(testing::random_linear(kind, N, K, 1)) {
        const int64_t bytes = packed_bytes(kind, N, K), stride = (bytes + 4095) / 4096 * 4096;
        const int64_t copies = std::max<int64_t>(1, (int64_t{256} << 20) / bytes);
        memory = Buffer::host(copies * stride);
        for (int64_t i = 0; i < copies; ++i) {
            linears.push_back(first.linear);
            linears[i].packed.data = static_cast<char*>(memory.data()) + i * stride;
            std::memcpy(linears[i].packed.data, first.linear.packed.data, bytes);
        }
    }
    testing::LinearOwner first;
    Buffer memory;
    std::vector<Linear> linears;
};

void bench(benchmark::State& state, Kind kind, DType dtype) {
    const int64_t threads = state.range(0), M = state.range(1), N = state.range(2);
    const int64_t K = state.range(3);
    Machine& m = machine(threads);
    const Weights weights(kind, N, K);
    const auto x = testing::normal(dtype, {M, K}, 2);
    const auto y = testing::zeros(DType::bf16, {M, N});
    size_t next = 0;
    const auto call = [&] {
        ops::linear(m.s, y, x, weights.linears[next++ % weights.linears.size()]);
    };
    double seconds = 1e30;
    for (auto _ : state)
        seconds = testing::best_seconds(call, testing::clock_for(static_cast<int>(threads)));
    const bool int8 = kind == Kind::w8a8_static || kind == Kind::w8a8_dynamic;
    const auto type = int8 ? testing::PeerType::i8 : testing::PeerType::bf16;
    const double other = peer({type, M, N, K, threads}, std::ssize(weights.linears));
    const auto bytes = static_cast<double>(packed_bytes(kind, N, K));
    state.counters["us"] = seconds * 1e6;
    state.counters["GB/s"] = bytes / seconds * 1e-9;
    state.counters["of_read"] = bytes / seconds / m.read;
    state.counters["GFLOP/s"] = 2e-9 * static_cast<double>(M * N * K) / seconds;
    state.counters["of_peer"] = other / seconds;
}

void bf16_weight(benchmark::State& s) { bench(s, Kind::bf16, DType::bf16); }
void fp8_weight(benchmark::State& s) { bench(s, Kind::fp8, DType::bf16); }
void w8a8_weight(benchmark::State& s) { bench(s, Kind::w8a8_dynamic, DType::bf16); }
void f32_input(benchmark::State& s) { bench(s, Kind::bf16, DType::f32); }

// Shapes of V3.2: q_a and kv_a together, an expert's w1 and w2, a quarter of q_b.
void shapes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"threads", "M", "N", "K"})->Iterations(1);
    for (const int64_t threads : {1, 2})
        for (const int64_t M : {1, 4, 16, 64, 512})
            for (const auto& [N, K] :
                 {std::pair{2112, 7168}, {2048, 7168}, {7168, 2048}, {6144, 1536}})
                b->Args({threads, M, N, K});
}
BENCHMARK(bf16_weight)->Apply(shapes);
BENCHMARK(fp8_weight)->Apply(shapes);
BENCHMARK(w8a8_weight)->Apply(shapes);
BENCHMARK(f32_input)->Apply(shapes);

// How fast the loader can bring a weight into its form; `of_copy`: of the copy bandwidth.
void pack_weight(benchmark::State& state) {
    const auto kind = static_cast<Kind>(state.range(0));
    const int64_t N = 7168, K = 18432, row = K * (kind == Kind::bf16 ? 2 : 1);
    const Buffer from = Buffer::host(N * row), to = Buffer::host(packed_bytes(kind, N, K));
    std::memset(from.data(), 1, N * row);
    Machine& m = machine(2);
    const auto pack = [&](int64_t begin, int64_t end, int) {
        const char* rows = static_cast<const char*>(from.data()) + begin * 16 * row;
        pack_rows(kind, to.data(), N, K, rows, row, begin * 16, end * 16);
    };
    double seconds = 1e30;
    for (auto _ : state)
        seconds = testing::best_seconds([&] { m.s.workers.parallel_for(N / 16, 4, pack); },
                                        testing::Clock::wall);
    const double rate = 2 * static_cast<double>(N * row) / seconds;
    state.SetLabel(name_of(kind));
    state.counters["GB/s"] = rate * 1e-9;
    state.counters["of_copy"] = rate / m.copy;
}
BENCHMARK(pack_weight)->DenseRange(0, 3)->Iterations(1);

}  // namespace
}  // namespace fathom
