#include <benchmark/benchmark.h>

#include <vector>

#include "ops/copy_testing.h"
#include "ops/mask_bias/mask_bias.h"
#include "testing/cpu_stream.h"

namespace fathom {
namespace {

constexpr int kVocab = 129280;

// Argument: the word of 32 tokens that is repeated.
void mask(benchmark::State& state) {
    testing::CpuStream s(1);
    const auto logits = testing::normal(DType::f32, {kVocab}, 1);
    const std::vector<uint32_t> allowed((kVocab + 31) / 32, static_cast<uint32_t>(state.range(0)));
    for (auto _ : state) ops::mask_bias(s, logits, allowed, {}, {});
    testing::report_bytes(state, kVocab * 8);
}
BENCHMARK(mask)->Arg(0)->Arg(0x12345678)->Arg(0xffffffff);

}  // namespace
}  // namespace fathom
