#include <benchmark/benchmark.h>

#include "ops/copy_testing.h"
#include "ops/rms_norm/rms_norm.h"
#include "testing/cpu_stream.h"

namespace fathom {
namespace {

// Arguments: rows, width. A row is read twice, the second time from the first cache: not counted.
void rms_norm(benchmark::State& state, DType dtype) {
    const int64_t T = state.range(0), D = state.range(1);
    testing::CpuStream s(1);
    auto x = testing::normal(dtype, {T, D}, 1), w = testing::normal(DType::f32, {D}, 2);
    auto y = testing::zeros(dtype, {T, D});
    for (auto _ : state) ops::rms_norm(s, y, x, w, 1e-6f);
    testing::report_bytes(state, 2 * T * D * size_of(dtype) + D * 4);
}

void bf16_rows(benchmark::State& state) { rms_norm(state, DType::bf16); }
void f32_rows(benchmark::State& state) { rms_norm(state, DType::f32); }

BENCHMARK(bf16_rows)->ArgsProduct({{1, 8, 64, 512}, {512, 1536, 7168}});
BENCHMARK(f32_rows)->ArgsProduct({{1, 512}, {512, 7168}});

}  // namespace
}  // namespace fathom
