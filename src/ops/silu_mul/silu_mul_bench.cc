#include <benchmark/benchmark.h>

#include "ops/copy_testing.h"
#include "ops/silu_mul/silu_mul.h"
#include "testing/cpu_stream.h"

namespace fathom {
namespace {

// Arguments: rows, width.
void silu_mul(benchmark::State& state, DType dtype) {
    const int64_t T = state.range(0), D = state.range(1);
    testing::CpuStream s(1);
    auto gate = testing::normal(dtype, {T, D}, 1), up = testing::normal(dtype, {T, D}, 2);
    auto y = testing::zeros(dtype, {T, D});
    for (auto _ : state) ops::silu_mul(s, y, gate, up);
    testing::report_bytes(state, 3 * T * D * size_of(dtype));
}

void bf16_rows(benchmark::State& state) { silu_mul(state, DType::bf16); }
void f32_rows(benchmark::State& state) { silu_mul(state, DType::f32); }

BENCHMARK(bf16_rows)->ArgsProduct({{1, 8, 64, 512}, {2048, 18432}});
BENCHMARK(f32_rows)->ArgsProduct({{1, 512}, {2048}});

}  // namespace
}  // namespace fathom
