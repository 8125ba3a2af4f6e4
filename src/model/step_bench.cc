// What a step of the ~1 GB preset costs against what the machine can do, measured in the same run:
// decoding against the bandwidth of reading, prompts against the rate of matrix products. Bars and
// figures: docs/measurements/cpu.md.
#include <algorithm>
#include <cstdio>
#include <random>

#include "model/activations.h"
#include "model/cost.h"
#include "model/load.h"
#include "model/model_step.h"
#include "ops/linear/linear.h"
#include "ops/linear/pack.h"
#include "ops/linear/peer.h"
#include "testing/cpu_stream.h"
#include "testing/random.h"
#include "testing/roof.h"
#include "testing/tiny_checkpoint.h"

namespace fathom::testing {
namespace {

constexpr int kThreads = 2;
constexpr int kLongest = 32 << 10;
constexpr double kBudget = 2;  // Seconds for one figure.

// The best rate of matrix products that anybody reaches here: ours or oneDNN's.
struct Roofs {
    double read;      // bytes / s
    double bf16, i8;  // flop / s
};

double own_rate(Stream& s, Linear::Kind kind, int64_t M, int64_t N, int64_t K) {
    const bool i8 = kind == Linear::Kind::w8a8_dynamic;
    const auto weight = zeros(i8 ? DType::i8 : DType::bf16, {N, K});
    const auto scale = normal(DType::f32, {N}, 1);
    const int64_t bytes = packed_bytes(kind, N, K);
    const auto packed = zeros(DType::u8, {bytes});
    const Linear w{.kind = kind, .N = N, .K = K, .packed = packed, .scale = scale};
    pack_rows(kind, packed.view.data, N, K, weight.view.data, K * size_of(weight.view.dtype), 0, N);
    const auto x = normal(DType::bf16, {M, K}, 2), y = zeros(DType::bf16, {M, N});
    const double seconds = best_seconds([&] { ops::linear(s, y, x, w); }, Clock::wall, 1);
    return 2.0 * static_cast<double>(M * N * K) / seconds;
}

double peer_rate(PeerType type, int64_t M, int64_t N, int64_t K) {
    const std::function<void()> product = peer_product(type, M, N, K, 1, kThreads);
    if (!product) return 0;
    return 2.0 * static_cast<double>(M * N * K) / best_seconds(product, Clock::wall, 1);
}

Roofs measure_roofs(CpuStream& s) {
    const int64_t M = 512, N = 2048, K = 2048;
    Roofs roofs{};
    roofs.read = read_bandwidth(s.workers);
    roofs.bf16 =
        std::max(own_rate(s, Linear::Kind::bf16, M, N, K), peer_rate(PeerType::bf16, M, N, K));
    roofs.i8 = std::max(own_rate(s, Linear::Kind::w8a8_dynamic, M, N, K),
                        peer_rate(PeerType::i8, M, N, K));
    return roofs;
}

// The model with one sequence whose cache is filled with numbers that mean nothing.
class Bench {
public:
    Bench(const std::string& format, bool speak);

    double decode_seconds(int context) {
        const SequencePart part[] = {{tokens_, context - 1, 1, blocks_, true}};
        return best_seconds([&] { step_.run(part); }, Clock::wall, kBudget);
    }
    double prompt_seconds(int length) {
        const SequencePart part[] = {{tokens_, 0, length, blocks_, true}};
        return best_seconds([&] { step_.run(part); }, Clock::wall, kBudget);
    }
    std::vector<OpCost> costs(int64_t computed, int64_t T) const {
        return step_costs(args_, format_, kv_.layout(), computed, T);
    }
    Roofs roofs() { return measure_roofs(stream_); }

private:
    void fill_cache();

    const ModelArgs args_;
    const CheckpointFormat format_;
    const Limits limits_;
    CpuStream stream_;
    std::unique_ptr<Transformer> model_;
    KvCache kv_;
    ModelStep step_;
    std::vector<Token> tokens_;
    std::vector<int32_t> blocks_;
};

Limits limits_of() {
    Limits limits{.batch_tokens_max = 512,
                  .batch_sequences_max = 1,
                  .logits_rows_max = 1,
                  .sequence_tokens_max = kLongest};
    limits.num_blocks = limits.blocks_for(kLongest);
    return limits;
}

Bench::Bench(const std::string& format, bool speak)
    : args_(load_model_args(tiny_checkpoint("bench", format)).value()),
      format_(*format_named(format)),
      limits_(limits_of()),
      stream_(kThreads, activation_bytes(args_, limits_, DType::bf16, IndexFormat::fp8, kThreads)),
      model_(load_transformer(Checkpoint::open(tiny_checkpoint("bench", format)).value(), args_,
                              stream_, {})),
      kv_(KvLayout(args_, LatentFormat::fp8, IndexFormat::fp8, args_.n_layers, 64),
          limits_.num_blocks),
      step_(*model_, kv_, stream_, limits_, DType::bf16),
      tokens_(kLongest),
      blocks_(limits_.num_blocks) {
    std::mt19937 rng(1);
    for (Token& t : tokens_) t = static_cast<Token>(3 + rng() % 500);
    for (int i = 0; i < limits_.num_blocks; ++i) blocks_[i] = i;
    fill_cache();
    if (speak)
        std::printf("%d layers, hidden %d, %d heads, %d index heads, %d experts\n", args_.n_layers,
                    args_.dim, args_.n_heads, args_.index_n_heads, args_.n_routed_experts);
}

// Codes of e4m3 that are numbers, scales of one, rotated parts near one.
void Bench::fill_cache() {
    std::mt19937 rng(2);
    const KvLayout& layout = kv_.layout();
    const float one = 1;
    for (int layer = 0; layer < layout.layers; ++layer) {
        const Tensor latents = kv_.latent(layer), keys = kv_.index_keys(layer);
        for (int64_t block = 0; block < kv_.num_blocks(); ++block) {
            auto* latent = latents.as<uint8_t>() + block * latents.stride[0];
            for (int64_t i = 0; i < layout.block_tokens; ++i, latent += layout.latent_bytes()) {
                for (int c = 0; c < layout.latent_rank; ++c)
                    latent[c] = (rng() & 0x80) | (rng() % 0x50);
                for (int g = 0; g < layout.latent_rank / 128; ++g)
                    std::memcpy(latent + layout.latent_rank + 4 * g, &one, 4);
                auto* rope = latent + layout.latent_rank + layout.latent_rank / 128 * 4;
                for (int r = 0; r < layout.rope_dim; ++r)
                    rope[2 * r] = rng(), rope[2 * r + 1] = 0x3f;
            }
            auto* key = keys.as<uint8_t>() + block * keys.stride[0];
            for (int i = 0; i < layout.block_tokens * layout.index_dim; ++i)
                key[i] = (rng() & 0x80) | (rng() % 0x50);
            for (int i = 0; i < layout.block_tokens; ++i)
                std::memcpy(key + layout.block_tokens * layout.index_dim + 4 * i, &one, 4);
        }
    }
}

double sum_bytes(const std::vector<OpCost>& costs) {
    double bytes = 0;
    for (const OpCost& cost : costs) bytes += cost.bytes;
    return bytes;
}

double ideal_seconds(const std::vector<OpCost>& costs, const Roofs& roofs) {
    double seconds = 0;
    for (const OpCost& cost : costs)
        seconds += cost.flops / (cost.type == OpCost::Type::i8 ? roofs.i8 : roofs.bf16);
    return seconds;
}

const char* verdict(bool met) { return met ? "met" : "MISSED"; }

void bench_format(const std::string& format) {
    Bench bench(format, format == "bf16");
    const Roofs roofs = bench.roofs();
    std::printf("%s: reading %.1f GB/s, products %.0f GFLOP/s bf16, %.0f int8\n", format.c_str(),
                roofs.read / 1e9, roofs.bf16 / 1e9, roofs.i8 / 1e9);

    const double decode = bench.decode_seconds(512);
    const double share = sum_bytes(bench.costs(511, 1)) / decode / roofs.read;
    std::printf(
        "  decode, 512 tokens  %8.2f ms  %3.0f %% of the bandwidth of reading (>= 60 %%: %s)\n",
        decode * 1e3, 100 * share, verdict(share >= 0.6));

    const double prompt = bench.prompt_seconds(512);
    const double ratio = prompt / ideal_seconds(bench.costs(0, 512), roofs);
    std::printf(
        "  prompt of 512       %8.2f ms  %.2f times its products at the best rate (<= 2: %s)\n",
        prompt * 1e3, ratio, verdict(ratio <= 2));

    double before = 0, index_before = 0;
    for (const int context : {4 << 10, 8 << 10, 16 << 10, 32 << 10}) {
        const std::vector<OpCost> costs = bench.costs(context - 1, 1);
        double flops = 0, index = 0;
        for (const OpCost& cost : costs) {
            flops += cost.flops / (cost.type == OpCost::Type::i8 ? roofs.i8 : roofs.bf16);
            if (cost.op == std::string_view("index scores"))
                index += std::max(cost.flops / roofs.bf16, cost.bytes / roofs.read);
        }
        const double seconds = bench.decode_seconds(context);
        const double floor = std::max(sum_bytes(costs) / roofs.read, flops);
        std::printf(
            "  decode, %2dk tokens  %8.2f ms  %.2f times max(bytes, flops) (<= 1.7 at 32k: %s)",
            context >> 10, seconds * 1e3, seconds / floor,
            context < kLongest ? "-" : verdict(seconds / floor <= 1.7));
        if (before > 0)
            std::printf("; +%.2f ms, the index term alone +%.2f ms", (seconds - before) * 1e3,
                        (index - index_before) * 1e3);
        std::printf("\n");
        before = seconds;
        index_before = index;
    }
}

}  // namespace
}  // namespace fathom::testing

int main() {
    for (const char* format : {"bf16", "fp8", "w8a8"}) fathom::testing::bench_format(format);
    return 0;
}
