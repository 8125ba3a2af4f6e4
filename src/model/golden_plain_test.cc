// The whole model without rounding (f32 activations and caches) against the reference in f64: the
// sharpest test of what is computed. Rules: docs/numerics.md.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "testing/compare.h"
#include "testing/distance.h"
#include "testing/golden.h"
#include "testing/recording.h"
#include "testing/tiny_model.h"

namespace fathom::testing {
namespace {

constexpr double kPlainDistance = 1e-5;  // rms of a row, relative

std::vector<Token> tokens_of(const Tensor& ids) {
    return {ids.as<int32_t>(), ids.as<int32_t>() + ids.dim(0)};
}

struct Case {
    std::string preset, folder;
    int length;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.folder << "/" << c.length; }

std::string file_of(const Case& c) {
    std::string digits = std::to_string(c.length);
    return c.folder + "/len-" + std::string(4 - digits.size(), '0') + digits + ".safetensors";
}

class GoldenPlain : public ::testing::TestWithParam<Case> {
protected:
    GoldenPlain() : golden(file_of(GetParam())), m(GetParam().preset, "bf16", kPlain) {}

    Golden golden;
    TinyModel m;
};

TEST_P(GoldenPlain, LogitsOfTheLastPositions) {
    const std::vector<Token> ids = tokens_of(golden["ids"]);
    const Tensor want = golden["logits"], positions = golden["logits_positions"];
    auto got = poisoned(DType::f32, {want.dim(0), want.dim(1)});
    int computed = 0;
    for (int64_t i = 0; i < positions.dim(0); ++i) {
        const int end = positions.as<int32_t>()[i] + 1;
        const std::vector<Token> prefix(ids.begin(), ids.begin() + end);
        const std::vector<float> row = run_chunked(m, prefix, computed, end - computed);
        std::copy(row.begin(), row.end(), got.view.as<float>() + i * want.dim(1));
        computed = end;
    }
    for (double d : row_distances(got, want)) EXPECT_LE(d, kPlainDistance);
}

TEST_P(GoldenPlain, GreedyTokens) {
    std::vector<Token> tokens = tokens_of(golden["ids"]);
    int computed = 0;
    for (int i = 0; i < 32; ++i) {
        const std::vector<float> row = run_chunked(m, tokens, computed, 512);
        computed = static_cast<int>(tokens.size());
        if (golden["greedy_margin"].as<float>()[i] < 1e-4f) break;
        const auto best = std::max_element(row.begin(), row.end()) - row.begin();
        ASSERT_EQ(best, golden["greedy_tokens"].as<int32_t>()[i]) << "step " << i;
        tokens.push_back(static_cast<Token>(best));
    }
}

void run_prompt(TinyModel& m, const std::vector<Token>& ids, Probe& probe) {
    const std::vector<int32_t> blocks = m.blocks(0);
    const SequencePart part[] = {{ids, 0, static_cast<int>(ids.size()), blocks, true}};
    m.step.run(part, &probe);
}

TEST_P(GoldenPlain, HiddenStatesAndAttentionOfEveryLayer) {
    if (!golden.has("block0.hidden")) return;  // Stored for two lengths only.
    Recording seen;
    run_prompt(m, tokens_of(golden["ids"]), seen);
    EXPECT_EQ(compare(seen.get("embedding", 0), golden["embedding"], kExact), "");
    for (int layer = 0; layer < m.args.n_layers; ++layer) {
        const Tensor x = seen.get("x", layer), residual = seen.get("residual", layer);
        auto hidden = allocate(DType::f32, {x.dim(0), x.dim(1)});
        for (int64_t i = 0; i < count_of(x); ++i)
            set(hidden, i, static_cast<float>(element(x, i) + element(residual, i)));
        for (double d : row_distances(hidden, golden[str("block", layer, ".hidden")]))
            EXPECT_LE(d, kPlainDistance) << "layer " << layer;
        for (double d :
             row_distances(seen.get("attention", layer), golden[str("block", layer, ".attention")]))
            EXPECT_LE(d, kPlainDistance) << "layer " << layer;
    }
    const int64_t T = golden["ids"].dim(0);
    const Tensor norm = golden["final_norm"].rows(T - 1, T);
    EXPECT_LE(row_distances(seen.get("final_norm", m.args.n_layers), norm)[0], kPlainDistance);
}

TEST_P(GoldenPlain, RouterChoices) {
    if (!golden.has("router_experts")) return;
    Recording seen;
    run_prompt(m, tokens_of(golden["ids"]), seen);
    const Tensor experts = golden["router_experts"], margin = golden["router_margin"];
    const int64_t T = experts.dim(1), K = experts.dim(2);
    int64_t compared = 0;
    for (int64_t e = 0; e < experts.dim(0); ++e) {
        const int layer = static_cast<int>(e) + m.args.n_dense_layers;
        const Tensor got = seen.get("experts", layer), weights = seen.get("expert_weights", layer);
        for (int64_t t = 0; t < T; ++t) {
            if (element(margin, e * T + t) <= 1e-5) continue;
            for (int64_t k = 0; k < K; ++k, ++compared) {
                ASSERT_EQ(element(got, t * K + k), element(experts, (e * T + t) * K + k));
                ASSERT_NEAR(element(weights, t * K + k),
                            element(golden["router_weights"], (e * T + t) * K + k), 1e-5);
            }
        }
    }
    EXPECT_GT(compared, 0);
}

// The chosen positions of query p, without the padding.
std::set<int> positions_of(const Tensor& rows, int64_t row) {
    std::set<int> chosen;
    for (int64_t k = 0; k < rows.dim(-1); ++k) {
        const int position = static_cast<int>(element(rows, row * rows.dim(-1) + k));
        if (position >= 0) chosen.insert(position);
    }
    return chosen;
}

TEST_P(GoldenPlain, IndexScoresAndChosenPositions) {
    if (!golden.has("index_scores")) return;
    Recording seen;
    run_prompt(m, tokens_of(golden["ids"]), seen);
    const Tensor queries = golden["index_positions"], scores = golden["index_scores"];
    const int64_t P = queries.dim(0), T = golden["ids"].dim(0);
    for (int layer = 0; layer < m.args.n_layers; ++layer) {
        for (int64_t i = 0; i < P; ++i) {
            const int p = queries.as<int32_t>()[i];
            const double gap = element(golden["index_gap"], layer * P + i);
            if (!(gap <= 1e-5)) {  // NaN: the choice is forced.
                EXPECT_EQ(positions_of(seen.get("topk_indices", layer), p),
                          positions_of(golden["index_topk"], layer * P + i))
                    << "layer " << layer << " query " << p;
            }
            if (!seen.has("index_logits", layer)) continue;  // Nothing to choose: not scored.
            double largest = 0, error = 0;
            for (int64_t j = 0; j <= p; ++j) {
                const double want = element(scores, (layer * P + i) * T + j);
                largest = std::max(largest, std::fabs(want));
                error = std::max(
                    error, std::fabs(element(seen.get("index_logits", layer), p * T + j) - want));
            }
            EXPECT_LE(error, 1e-5 * largest) << "layer " << layer << " query " << p;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Tiny, GoldenPlain,
                         ::testing::Values(Case{"reference", "models/bf16-plain", 1},
                                           Case{"reference", "models/bf16-plain", 2},
                                           Case{"reference", "models/bf16-plain", 5},
                                           Case{"reference", "models/bf16-plain", 63},
                                           Case{"reference", "models/bf16-plain", 64},
                                           Case{"reference", "models/bf16-plain", 65},
                                           Case{"reference", "models/bf16-plain", 130},
                                           Case{"reference", "models/bf16-plain", 300},
                                           Case{"wide", "wide/bf16-plain", 5},
                                           Case{"wide", "wide/bf16-plain", 200}));

}  // namespace
}  // namespace fathom::testing
