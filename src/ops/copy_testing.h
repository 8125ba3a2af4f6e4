#pragma once

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstring>

#include "testing/cpu_stream.h"
#include "testing/random.h"

// The roof of an op that only moves memory.
namespace fathom::testing {

// Bytes per second, read and written, of memcpy on a working set of `bytes`, with the threads of s:
// half of it is read, half written, over and over for about 50 ms. What fits a cache stays there,
// as it does in the op that is compared.
inline double copy_rate(Stream& s, int64_t bytes) {
    const int64_t half = std::max<int64_t>(64, bytes / 2);
    HostTensor from = zeros(DType::u8, {half}), to = zeros(DType::u8, {half});
    const auto copy = [&] {
        s.workers->parallel_for(half, 64 << 10, [&](int64_t begin, int64_t end, int) {
            std::memcpy(to.view.as<char>() + begin, from.view.as<char>() + begin, end - begin);
        });
        benchmark::ClobberMemory();
    };
    using Clock = std::chrono::steady_clock;
    const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
    copy();
    int64_t runs = 0;
    const auto start = Clock::now();
    while (seconds(Clock::now() - start) < 0.05) {
        for (int i = 0; i < 8; ++i) copy();
        runs += 8;
    }
    return static_cast<double>(2 * half * runs) / seconds(Clock::now() - start);
}

// Adds B/s and of_copy to a benchmark whose iteration reads and writes `bytes`.
inline void report_bytes(benchmark::State& state, Stream& s, int64_t bytes) {
    const double moved = static_cast<double>(bytes) * static_cast<double>(state.iterations());
    using benchmark::Counter;
    state.counters["B/s"] = Counter(moved, Counter::kIsRate);
    state.counters["of_copy"] = Counter(moved / copy_rate(s, bytes), Counter::kIsRate);
}

}  // namespace fathom::testing
