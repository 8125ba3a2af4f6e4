#include <benchmark/benchmark.h>

#include "ops/act_quant/act_quant.h"
#include "ops/act_quant_i8/act_quant_i8.h"
#include "ops/copy_testing.h"
#include "testing/cpu_stream.h"

namespace fathom {
namespace {

// Arguments: rows, width.
void e4m3(benchmark::State& state) {
    const int64_t T = state.range(0), K = state.range(1);
    testing::CpuStream s(1);
    auto x = testing::normal(DType::bf16, {T, K}, 1), codes = testing::zeros(DType::f8e4m3, {T, K});
    auto scales = testing::zeros(DType::f32, {T, K / 128});
    for (auto _ : state) ops::act_quant(s, codes, scales, x, ScaleFormat::ue8m0);
    testing::report_bytes(state, T * K * 3);
}

void int8(benchmark::State& state) {
    const int64_t T = state.range(0), K = state.range(1);
    testing::CpuStream s(1);
    auto x = testing::normal(DType::bf16, {T, K}, 1), codes = testing::zeros(DType::i8, {T, K});
    auto scales = testing::zeros(DType::f32, {T});
    for (auto _ : state) ops::act_quant_i8_dynamic(s, codes, scales, x);
    testing::report_bytes(state, T * K * 3);
}

BENCHMARK(e4m3)->ArgsProduct({{1, 512}, {2048, 7168}});
BENCHMARK(int8)->ArgsProduct({{1, 512}, {2048, 7168}});

}  // namespace
}  // namespace fathom
