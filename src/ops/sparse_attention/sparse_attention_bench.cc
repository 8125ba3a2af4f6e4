// Flops are 2 * (576 + 512) for each head and key, bytes those of the chosen keys; the roof is the
// vector units' peak on all threads (peak_testing.h). On AVX-512 sums stay in f32, at half that
// peak, so that 0.68 is the most there can be.
#include <benchmark/benchmark.h>

#include <numeric>

#include "ops/peak_testing.h"
#include "ops/sparse_attention/sparse_attention.h"
#include "testing/cpu_stream.h"
#include "testing/paged_cache.h"

namespace fathom {
namespace {

using namespace testing;

constexpr int64_t kC = 512, kR = 64, kChosenMax = 2048;

// Context L of the last of T tokens: all of it where it is short, else every so-maniest position.
double choose(const Tensor& indices, int64_t L) {
    const int64_t T = indices.dim(0);
    double pairs = 0;
    for (int64_t t = 0; t < T; ++t) {
        const int64_t context = L - T + t + 1, count = std::min(context, kChosenMax);
        int32_t* row = indices.as<int32_t>() + t * kChosenMax;
        std::fill_n(row, kChosenMax, -1);
        for (int64_t i = 0; i < count; ++i) row[i] = static_cast<int32_t>(i * context / count);
        pairs += static_cast<double>(count);
    }
    return pairs;
}

// Codes and scales that are ordinary numbers.
void fill(const PagedCache& cache, LatentFormat format) {
    std::fill_n(cache.storage.view.as<uint8_t>(), count_of(cache.storage), uint8_t{0x31});
    if (format != LatentFormat::fp8) return;
    const std::array<float, kC / 128> scales{1, 1, 1, 1};
    for (int64_t slot = 0; slot < cache.blocks * cache.block_tokens; ++slot)
        std::memcpy(
            cache.block(static_cast<int32_t>(slot)) + slot % cache.block_tokens * cache.bytes + kC,
            scales.data(), sizeof scales);
}

// Arguments: tokens, context of the last one, heads, threads.
void bench(benchmark::State& state, LatentFormat format, DType dtype) {
    const int64_t T = state.range(0), L = state.range(1), H = state.range(2);
    const auto threads = static_cast<int>(state.range(3));
    CpuStream s(threads);
    KvLayout layout;
    layout.latent = format;
    PagedCache cache(1, static_cast<int>(L), 64, layout.latent_bytes());
    fill(cache, format);
    auto q_latent = normal(dtype, {T, H, kC}, 1), q_pe = normal(dtype, {T, H, kR}, 2);
    auto o = zeros(dtype, {T, H, kC});
    auto sequences = zeros(DType::i32, {T}), indices = zeros(DType::i32, {T, kChosenMax});
    const double pairs = choose(indices, L);
    const double flops = pairs * static_cast<double>(2 * H * (2 * kC + kR));
    const double bytes = pairs * static_cast<double>(layout.latent_bytes());
    report_flops(state, threads, flops, bytes, [&] {
        ops::sparse_attention(s, o, {}, q_latent, q_pe, cache.tokens(),
                              {{}, sequences, cache.tables, 64}, indices, format, 0.05f);
    });
}

void fp8(benchmark::State& state) { bench(state, LatentFormat::fp8, DType::bf16); }
void bf16_latent(benchmark::State& state) { bench(state, LatentFormat::bf16, DType::bf16); }
void f32_latent(benchmark::State& state) { bench(state, LatentFormat::f32, DType::f32); }

BENCHMARK(fp8)
    ->Args({1, 64, 16, 1})
    ->Args({1, 4096, 16, 1})
    ->Args({1, 32768, 16, 1})
    ->Args({1, 32768, 128, 1})
    ->Args({16, 32768, 16, 1})
    ->Args({512, 512, 16, 1})
    ->Args({128, 512, 128, 1})
    ->Args({1, 32768, 16, 2})
    ->Args({512, 512, 16, 2})
    ->UseManualTime()
    ->Iterations(1);
BENCHMARK(bf16_latent)
    ->Args({1, 32768, 16, 1})
    ->Args({512, 512, 16, 1})
    ->UseManualTime()
    ->Iterations(1);
BENCHMARK(f32_latent)
    ->Args({1, 32768, 16, 1})
    ->Args({512, 512, 16, 1})
    ->UseManualTime()
    ->Iterations(1);

}  // namespace
}  // namespace fathom
