// The rounded variants (bf16 activations; fp8 caches, fp8 and W8A8 weights) against the reference.
// One bf16 step may flip an expert or an index, and a random model amplifies that, so blocks are
// fed with golden input and distances are judged by quantiles; whole runs by medians and forced
// tokens. The bounds and the noise that they stand on: docs/numerics.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "testing/compare.h"
#include "testing/distance.h"
#include "testing/golden.h"
#include "testing/recording.h"
#include "testing/tiny_model.h"

namespace fathom::testing {
namespace {

struct Variant {
    std::string name, format;
    Numerics numerics;
    double block, attention;           // Medians of a block fed with golden input.
    double logits_short, logits_long;  // Medians end to end, T <= 65 and T = 300.
    double greedy_short, greedy_long;  // Medians of forced steps, T <= 65 and T = 130.
};
void PrintTo(const Variant& v, std::ostream* out) { *out << v.name; }

const Variant kVariants[] = {{"bf16-rounded", "bf16", kRounded, 0.006, 0.01, 0.02, 0.06, 0.1, 0.4},
                             {"bf16-exact", "bf16", kExactFp8, 0.006, 0.01, 0.02, 0.06, 0.1, 0.4},
                             {"fp8-exact", "fp8", kExactFp8, 0.03, 0.025, 0.12, 0.18, 0.4, 0.5},
                             {"w8a8-exact", "w8a8", kExactFp8, 0.016, 0.025, 0.06, 0.1, 0.2, 0.5},
                             {"w8a8-rounded", "w8a8", kRounded, 0.016, 0.025, 0.06, 0.1, 0.2, 0.5}};

std::vector<Token> tokens_of(const Tensor& ids) {
    return {ids.as<int32_t>(), ids.as<int32_t>() + ids.dim(0)};
}

Golden golden_of(const std::string& folder, int length) {
    const std::string digits = std::to_string(length);
    return Golden(folder + "/len-" + std::string(4 - digits.size(), '0') + digits + ".safetensors");
}

class GoldenRounded : public ::testing::TestWithParam<Variant> {
protected:
    GoldenRounded() : m("reference", GetParam().format, GetParam().numerics) {}
    TinyModel m;
};

// One block with the golden state before it as input: x + residual is that state, residual its
// bf16.
struct FedBlock {
    FedBlock(TinyModel& m, const Golden& golden, int layer);

    HostTensor x, residual;
    Recording seen;
};

FedBlock::FedBlock(TinyModel& m, const Golden& golden, int layer)
    : x(allocate(DType::bf16, {golden["ids"].dim(0), m.args.dim})),
      residual(allocate(DType::bf16, {golden["ids"].dim(0), m.args.dim})) {
    const Tensor before =
        golden[layer == 0 ? std::string("embedding") : str("block", layer - 1, ".hidden")];
    for (int64_t i = 0; i < count_of(before); ++i) {
        const auto sum = static_cast<float>(element(before, i));
        set(residual, i, sum);
        set(x, i, sum - to_float(to_bf16(sum)));
    }
    const std::vector<Token> ids = tokens_of(golden["ids"]);
    const std::vector<int32_t> blocks = m.blocks(0);
    const SequencePart part[] = {{ids, 0, static_cast<int>(ids.size()), blocks, true}};
    std::vector<char> memory(ForwardInput::bytes(m.limits));
    ForwardInput in(memory.data(), m.limits);
    fill_input(in, part);
    m.stream.arena.rewind(0);
    const Forward f(m.stream, m.kv, in, DType::bf16, m.model->freqs_cis(m.stream, in), &seen);
    m.model->layer(layer).forward(f, x, residual);
}

Tensor sum_of(const FedBlock& block, HostTensor& sum) {
    sum = allocate(DType::f32, {block.x.view.dim(0), block.x.view.dim(1)});
    for (int64_t i = 0; i < count_of(sum); ++i)
        set(sum, i, static_cast<float>(element(block.x, i) + element(block.residual, i)));
    return sum;
}

// Positions whose experts are the golden ones; fails where a clear choice differs.
std::vector<bool> same_experts(const Golden& golden, const FedBlock& block, int layer, int e) {
    const Tensor want = golden["router_experts"], margin = golden["router_margin"];
    const int64_t T = want.dim(1), K = want.dim(2);
    std::vector<bool> same(T, true);
    for (int64_t t = 0; t < T; ++t) {
        std::vector<double> a, b;
        for (int64_t k = 0; k < K; ++k) {
            a.push_back(element(block.seen.get("experts", layer), t * K + k));
            b.push_back(element(want, (e * T + t) * K + k));
        }
        std::sort(a.begin(), a.end());
        std::sort(b.begin(), b.end());
        same[t] = a == b;
        EXPECT_TRUE(same[t] || element(margin, e * T + t) <= 0.01) << "experts at position " << t;
    }
    return same;
}

TEST_P(GoldenRounded, BlocksFedWithGoldenInput) {
    const Golden golden = golden_of("models/" + GetParam().name, 130);
    for (int layer = 0; layer < m.args.n_layers; ++layer) {
        const FedBlock block(m, golden, layer);
        HostTensor sum;
        const std::vector<double> hidden =
            row_distances(sum_of(block, sum), golden[str("block", layer, ".hidden")]);
        EXPECT_LE(quantile(hidden, 0.5), GetParam().block) << "layer " << layer;
        EXPECT_LE(quantile(hidden, 0.9), 2 * GetParam().block) << "layer " << layer;
        const std::vector<double> attention = row_distances(
            block.seen.get("attention", layer), golden[str("block", layer, ".attention")]);
        EXPECT_LE(quantile(attention, 0.5), GetParam().attention) << "layer " << layer;
        if (m.args.is_dense(layer)) continue;
        const std::vector<bool> same =
            same_experts(golden, block, layer, layer - m.args.n_dense_layers);
        for (size_t t = 0; t < same.size(); ++t)
            if (same[t]) EXPECT_LE(hidden[t], 0.1) << "layer " << layer << " position " << t;
    }
}

// Index scores of the stored queries within 1/2 % of the row's largest, and chosen positions that
// differ only at the border.
void check_scores(const Golden& golden, const Recording& seen, int layer) {
    const Tensor queries = golden["index_positions"], scores = golden["index_scores"];
    const Tensor logits = seen.get("index_logits", layer), got = seen.get("topk_indices", layer);
    const int64_t P = queries.dim(0), T = golden["ids"].dim(0), K = got.dim(1);
    std::vector<double> errors;
    for (int64_t i = 0; i < P; ++i) {
        const int64_t p = queries.as<int32_t>()[i];
        const auto want = [&](int64_t j) { return element(scores, (layer * P + i) * T + j); };
        double largest = 0;
        for (int64_t j = 0; j <= p; ++j) largest = std::max(largest, std::fabs(want(j)));
        for (int64_t j = 0; j <= p; ++j)
            errors.push_back(std::fabs(element(logits, p * T + j) - want(j)) / largest);

        std::vector<double> sorted;
        for (int64_t j = 0; j <= p; ++j) sorted.push_back(want(j));
        std::sort(sorted.rbegin(), sorted.rend());
        const double border = p + 1 > K ? sorted[K - 1] : -INFINITY;
        std::vector<bool> chosen(T, false);
        for (int64_t k = 0; k < K; ++k)
            if (const auto j = static_cast<int64_t>(element(got, p * K + k)); j >= 0)
                chosen[j] = true;
        for (int64_t j = 0; j <= p; ++j) {
            if (chosen[j] == (want(j) >= border)) continue;
            EXPECT_LE(std::fabs(want(j) - border), 0.01 * largest) << "query " << p << " key " << j;
        }
    }
    EXPECT_LE(quantile(errors, 0.99), 0.005) << "layer " << layer;
    EXPECT_LE(quantile(errors, 1.0), 0.02) << "layer " << layer;
}

TEST_P(GoldenRounded, IndexScoresOfBlocksFedWithGoldenInput) {
    const Golden golden = golden_of("models/" + GetParam().name, 130);
    for (int layer = 0; layer < m.args.n_layers; ++layer)
        check_scores(golden, FedBlock(m, golden, layer).seen, layer);
}

TEST_P(GoldenRounded, LogitsEndToEnd) {
    for (int length : {1, 2, 5, 63, 64, 65, 300}) {
        const Golden golden = golden_of("models/" + GetParam().name, length);
        const std::vector<Token> ids = tokens_of(golden["ids"]);
        const Tensor want = golden["logits"], positions = golden["logits_positions"];
        auto got = poisoned(DType::f32, {want.dim(0), want.dim(1)});
        int computed = 0;
        for (int64_t i = 0; i < positions.dim(0); ++i) {
            const int end = positions.as<int32_t>()[i] + 1;
            const std::vector<Token> prefix(ids.begin(), ids.begin() + end);
            const auto row = run_chunked(m, prefix, computed, end - computed);
            std::copy(row.begin(), row.end(), got.view.as<float>() + i * want.dim(1));
            computed = end;
        }
        EXPECT_LE(quantile(row_distances(got, want), 0.5),
                  length <= 65 ? GetParam().logits_short : GetParam().logits_long)
            << "prompt of " << length;
    }
}

// The golden continuation forced: largest error of the 8 best logits per step, and argmax flips.
TEST_P(GoldenRounded, ForcedContinuation) {
    for (int length : {1, 2, 5, 63, 64, 65, 130}) {
        const Golden golden = golden_of("models/" + GetParam().name, length);
        std::vector<Token> tokens = tokens_of(golden["ids"]);
        const Tensor top_ids = golden["greedy_top_ids"], top = golden["greedy_top_logits"];
        std::vector<double> errors;
        int computed = 0, flips = 0;
        for (int i = 0; i < 32; ++i) {
            const std::vector<float> row = run_chunked(m, tokens, computed, 512);
            double error = 0;
            for (int k = 0; k < 8; ++k)
                error = std::max(error, std::fabs(row[top_ids.as<int32_t>()[i * 8 + k]] -
                                                  element(top, i * 8 + k)));
            errors.push_back(error);
            const Token want = golden["greedy_tokens"].as<int32_t>()[i];
            flips += std::max_element(row.begin(), row.end()) - row.begin() != want;
            computed = static_cast<int>(tokens.size());
            tokens.push_back(want);
        }
        EXPECT_LE(quantile(errors, 0.5),
                  length <= 65 ? GetParam().greedy_short : GetParam().greedy_long)
            << "prompt of " << length;
        EXPECT_LE(flips, 8) << "prompt of " << length;
    }
}

INSTANTIATE_TEST_SUITE_P(Tiny, GoldenRounded, ::testing::ValuesIn(kVariants));

// The preset `wide`: the head counts that CUDA kernels are compiled for; logits only.
class GoldenWide : public ::testing::TestWithParam<Variant> {};

TEST_P(GoldenWide, LogitsEndToEnd) {
    TinyModel m("wide", GetParam().format, GetParam().numerics);
    for (int length : {5, 200}) {
        const Golden golden = golden_of("wide/" + GetParam().name, length);
        const std::vector<Token> ids = tokens_of(golden["ids"]);
        const Tensor want = golden["logits"], positions = golden["logits_positions"];
        std::vector<double> distances;
        for (int64_t i = 0; i < positions.dim(0); ++i) {
            const int end = positions.as<int32_t>()[i] + 1;
            auto row = run_chunked(m, {ids.begin(), ids.begin() + end}, 0, end);
            const Tensor got = view_of(row.data(), DType::f32, {1, want.dim(1)});
            distances.push_back(row_distances(got, want.rows(i, i + 1))[0]);
        }
        EXPECT_LE(quantile(distances, 0.5),
                  length <= 65 ? GetParam().logits_short : GetParam().logits_long);
    }
}

INSTANTIATE_TEST_SUITE_P(Wide, GoldenWide,
                         ::testing::Values(kVariants[0], kVariants[1], kVariants[2]));

}  // namespace
}  // namespace fathom::testing
