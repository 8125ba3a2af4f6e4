#pragma once

#include <benchmark/benchmark.h>

#include <cstring>
#include <ctime>

#include "testing/random.h"

// The roof of an op that only moves memory.
namespace fathom::testing {

// Bytes that memcpy reads and writes in a second of CPU time of one thread, on a working set of
// `bytes`: half of it is read, half written, over and over for about 50 ms. What fits a cache stays
// there, as it does in the op that is compared.
inline double copy_rate(int64_t bytes) {
    const int64_t half = std::max<int64_t>(64, bytes / 2);
    HostTensor from = zeros(DType::u8, {half}), to = zeros(DType::u8, {half});
    const auto copy = [&] {
        std::memcpy(to.view.data, from.view.data, half);
        benchmark::ClobberMemory();
    };
    const auto seconds_since = [](std::clock_t start) {
        return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    };
    copy();
    int64_t runs = 0;
    const std::clock_t start = std::clock();
    while (seconds_since(start) < 0.05) {
        for (int i = 0; i < 8; ++i) copy();
        runs += 8;
    }
    return static_cast<double>(2 * half * runs) / seconds_since(start);
}

// Adds B/s and of_copy to a benchmark of one thread whose iteration reads and writes `bytes`. In
// CPU time: what else the machine does then counts as little as it can.
inline void report_bytes(benchmark::State& state, int64_t bytes) {
    const double moved = static_cast<double>(bytes) * static_cast<double>(state.iterations());
    using benchmark::Counter;
    state.counters["B/s"] = Counter(moved, Counter::kIsRate);
    state.counters["of_copy"] = Counter(moved / copy_rate(bytes), Counter::kIsRate);
}

}  // namespace fathom::testing
