#include "ops/sample/sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "ops/op_testing.h"
#include "ops/sample/noise.h"
#include "ops/sample/sample_cut.h"

namespace fathom {
namespace {

using testing::element;
using testing::HostTensor;

constexpr double kInf = std::numeric_limits<double>::infinity();

HostTensor matrix(std::initializer_list<std::vector<float>> rows) {
    const auto cols = static_cast<int64_t>(rows.begin()->size());
    HostTensor t = testing::allocate(DType::f32, {static_cast<int64_t>(rows.size()), cols});
    float* out = t.view.as<float>();
    for (const auto& row : rows) out = std::copy(row.begin(), row.end(), out);
    return t;
}

std::vector<int> sample(Stream& s, const Tensor& logits, const std::vector<SampleRow>& rows,
                        int vocab) {
    HostTensor copy = testing::converted(logits, DType::f32);  // The call may change it.
    HostTensor tokens = testing::poisoned(DType::i32, {logits.dim(0)});
    ops::sample(s, tokens, copy, rows, vocab);
    return {tokens.view.as<int32_t>(), tokens.view.as<int32_t>() + logits.dim(0)};
}

// What cpu::sample draws from.
std::vector<double> probabilities(const std::vector<float>& logits, const SampleRow& row) {
    const int V = static_cast<int>(logits.size());
    std::vector<std::byte> scratch(cpu::sample_scratch_bytes(V));
    const cpu::Cut cut = cpu::find_cut(logits.data(), V, row, scratch);
    const float largest = *std::max_element(logits.begin(), logits.end());
    std::vector<double> p(V, 0.0);
    double sum = 0;
    for (int i = 0; i < V; ++i) {
        if (!cut.keeps(logits[i], i)) continue;
        p[i] = std::exp((double{logits[i]} - largest) / row.temperature);
        sum += p[i];
    }
    for (double& v : p) v /= sum;
    return p;
}

// The definition, by sorting: temperature, min_p, top_k, top_p. *margin: how far the nearest mass
// is from top_p.
std::vector<double> by_sorting(const std::vector<float>& logits, const SampleRow& row,
                               double* margin) {
    const int V = static_cast<int>(logits.size());
    std::vector<int> order(V);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return logits[a] > logits[b]; });
    const double largest = logits[order[0]];
    std::vector<double> p(V, 0.0);
    double sum = 0;
    for (int i = 0; i < V; ++i) {
        const double e = std::exp((logits[order[i]] - largest) / row.temperature);
        const bool top =
            row.top_k == 0 || logits[order[i]] >= logits[order[std::min(row.top_k, V) - 1]];
        if (e >= row.min_p && top) sum += p[order[i]] = e;
    }
    double before = 0, kept = 0;
    *margin = kInf;
    for (const int i : order) {
        const double mass = p[i] / sum;
        if (row.top_p < 1) {
            *margin = std::min(*margin, std::fabs(before - row.top_p));
            if (before >= row.top_p) p[i] = 0;
        }
        before += mass;
        kept += p[i];
    }
    for (double& v : p) v /= kept;
    return p;
}

struct GoldenCase {
    std::string name;
    std::vector<float> logits;
    std::vector<double> probabilities;
    SampleRow row;
};

std::vector<GoldenCase> golden_cases() {
    std::vector<GoldenCase> cases;
    for (const auto& c :
         nlohmann::json::parse(std::ifstream(testing::golden_path("ops/sampling.json"))))
        cases.push_back({.name = c["name"],
                         .logits = c["logits_after_penalties"],
                         .probabilities = c["probabilities"],
                         .row = {.temperature = c["temperature"],
                                 .top_p = c["top_p"],
                                 .top_k = c["top_k"],
                                 .min_p = c["min_p"]}});
    return cases;
}

TEST(Philox, PublishedVectors) {  // kat_vectors of the authors' Random123.
    EXPECT_EQ(Philox::draw({0, 0, 0, 0}, 0, 0),
              (Philox::Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    constexpr uint32_t kOnes = 0xffffffff;
    EXPECT_EQ(Philox::draw({kOnes, kOnes, kOnes, kOnes}, kOnes, kOnes),
              (Philox::Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(
        Philox::draw({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
        (Philox::Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Gumbel, IsFiniteAtTheEnds) {
    EXPECT_NEAR(gumbel(0), 33 * std::log(2.0), 1e-6);
    EXPECT_TRUE(std::isfinite(gumbel(0xffffffff)));
    EXPECT_NEAR(gumbel(0x80000000), -std::log(std::log(2.0)), 1e-6);
}

TEST(Sample, GoldenProbabilities) {
    int random = 0;
    for (const GoldenCase& c : golden_cases()) {
        if (c.row.temperature == 0) continue;
        const auto got = probabilities(c.logits, c.row);
        for (size_t i = 0; i < got.size(); ++i)
            EXPECT_NEAR(got[i], c.probabilities[i], 1e-6) << c.name << ", token " << i;
        ++random;
    }
    EXPECT_GE(random, 40);
}

// Chi-square of 4,000 draws of each golden case; tokens of probability 0 must never come. The bound
// is 8 deviations beyond the mean of the statistic: the draws are the same in every run.
TEST(Sample, DrawsFollowTheGoldenProbabilities) {
    testing::CpuStream s;
    const int S = 4000;
    for (const GoldenCase& c : golden_cases()) {
        HostTensor logits = testing::allocate(DType::f32, {S, 16});
        std::vector<SampleRow> rows(S, c.row);
        for (int i = 0; i < S; ++i) {
            std::copy(c.logits.begin(), c.logits.end(), logits.view.as<float>() + i * 16);
            rows[i].seed = 77;
            rows[i].position = i;
        }
        std::vector<int> count(16);
        for (const int token : sample(s, logits, rows, 16)) ++count.at(token);
        double chi_square = 0;
        int free = -1;
        for (int i = 0; i < 16; ++i) {
            const double want = c.probabilities[i] * S;
            if (want == 0) {
                EXPECT_EQ(count[i], 0) << c.name << ", token " << i;
            } else if (want > 4) {
                chi_square += (count[i] - want) * (count[i] - want) / want;
                ++free;
            }
        }
        EXPECT_LE(chi_square, free + 8 * std::sqrt(2.0 * std::max(free, 1))) << c.name;
    }
}

// Half the mass exactly: the token behind it is out.
TEST(Sample, TopPKeepsTokensWhileTheMassBeforeIsLess) {
    const std::vector<float> logits(4, 1.0f);
    EXPECT_EQ(probabilities(logits, {.temperature = 1, .top_p = 0.5f}),
              (std::vector<double>{0.5, 0.5, 0, 0}));
    EXPECT_EQ(probabilities(logits, {.temperature = 1, .top_p = 0.51f})[2], 1.0 / 3);
}

TEST(Sample, MinPIsExactInTheLastBit) {
    for (float min_p = 0.013f; min_p < 1; min_p += 0.017f) {
        const double lowest = std::log(double{min_p});
        const auto near = static_cast<float>(lowest);
        for (const float l : {std::nextafterf(near, -99), near, std::nextafterf(near, 99)})
            EXPECT_EQ(probabilities({0, l}, {.temperature = 1, .min_p = min_p})[1] > 0, l >= lowest)
                << min_p << ", " << l - lowest;
    }
}

// Independent draws when only one of seed, choice, position differs.
TEST(Sample, EveryPartOfTheKeyCounts) {
    testing::CpuStream s;
    const int S = 3000;
    const HostTensor logits = testing::zeros(DType::f32, {S, 97});
    const auto draw = [&](int which) {
        std::vector<SampleRow> rows(S, {.temperature = 1, .seed = 5});
        for (int i = 0; i < S; ++i) {
            if (which == 0) rows[i].seed = i;
            if (which == 1) rows[i].seed = static_cast<uint64_t>(i) << 32;
            if (which == 2) rows[i].choice = i;
            if (which == 3) rows[i].position = i;
        }
        return sample(s, logits, rows, 97);
    };
    for (int which = 0; which < 4; ++which) {
        const std::vector<int> tokens = draw(which);
        std::vector<int> count(97);
        for (const int token : tokens) ++count.at(token);
        double chi_square = 0;
        for (const int n : count) chi_square += std::pow(n - S / 97.0, 2) / (S / 97.0);
        EXPECT_LT(chi_square, 96 + 5 * std::sqrt(2 * 96.0)) << which;
        for (int other = 0; other < which; ++other) {
            const std::vector<int> others = draw(other);
            int same = 0;
            for (int i = 0; i < S; ++i) same += tokens[i] == others[i];
            EXPECT_LT(same, 3 * S / 97) << which << " and " << other;
        }
    }
}

// Rows as large as the model's: random, peaked, full of ties, with masked tokens.
std::vector<float> large_row(int V, int kind) {
    HostTensor t = testing::normal(DType::f32, {V}, kind + 10, kind == 1 ? 5.0f : 2.0f);
    std::vector<float> row(t.view.as<float>(), t.view.as<float>() + V);
    for (int i = 0; i < V; ++i) {
        if (kind == 2) row[i] = std::round(row[i]);
        if (kind == 3 && i % 3 != 0) row[i] = static_cast<float>(-kInf);
    }
    return row;
}

std::vector<SampleRow> ways() {
    std::vector<SampleRow> all;
    for (const float temperature : {0.3f, 1.0f, 1.7f})
        for (const int top_k : {0, 1, 50, 3000})
            for (const float top_p : {0.05f, 0.9f, 1.0f})
                for (const float min_p : {0.0f, 0.02f})
                    all.push_back({temperature, top_p, top_k, min_p, 1234567890123, 2, 7});
    return all;
}

TEST(Sample, TheCutIsThatOfSorting) {
    int compared = 0;
    for (const int V : {5000, 129280})
        for (int kind = 0; kind < 4; ++kind) {
            const std::vector<float> logits = large_row(V, kind);
            for (const SampleRow& row : ways()) {
                if (V > 5000 && row.temperature != 1.0f) continue;
                double margin;
                const auto want = by_sorting(logits, row, &margin);
                if (margin < 2e-7) continue;
                ++compared;
                const auto got = probabilities(logits, row);
                for (int i = 0; i < V; ++i)
                    ASSERT_NEAR(got[i], want[i], 1e-6 * want[i])
                        << V << ", kind " << kind << ", token " << i << ", T " << row.temperature
                        << " k " << row.top_k << " p " << row.top_p << " min " << row.min_p;
            }
        }
    EXPECT_GT(compared, 300);
}

// Nothing that is skipped could have won: against the noise of every token.
TEST(Sample, TheWinnerIsTheLargestSum) {
    testing::CpuStream s;
    for (const int V : {100, 5000, 129280})
        for (int kind = 0; kind < 4; ++kind) {
            const std::vector<float> logits = large_row(V, kind);
            const float largest = *std::max_element(logits.begin(), logits.end());
            const HostTensor row = matrix({logits});
            for (SampleRow how : ways()) {
                if (V > 5000 && (how.top_k > 0 || how.temperature < 1)) continue;
                how.position += V + kind;
                const auto p = probabilities(logits, how);
                double best = -kInf;
                int winner = -1;
                for (int i = 0; i < V; ++i) {
                    if (p[i] == 0) continue;
                    const double sum = (double{logits[i]} - largest) / how.temperature +
                                       gumbel(noise_word(how.seed, how.choice, how.position, i));
                    if (sum > best) winner = i;
                    best = std::max(best, sum);
                }
                ASSERT_EQ(sample(s, row, {how}, V)[0], winner) << V << ", kind " << kind;
            }
        }
}

// Of equal logits the one with the smallest word wins. In one of a thousand rows its lead is within
// the margin that is left for rounding when tokens are skipped.
TEST(Sample, TheSmallestWordWinsAmongEqualLogits) {
    testing::CpuStream s;
    const int V = 4096, draws = 10000;
    HostTensor logits = testing::zeros(DType::f32, {1, V}), token = testing::zeros(DType::i32, {1});
    for (int position = 0; position < draws; ++position) {
        const SampleRow row{.temperature = 1, .position = position};
        ops::sample(s, token, logits, {&row, 1}, V);
        uint32_t smallest = 0xffffffff, winner = 0;
        for (uint32_t id = 0; id < V; id += 4) {
            const auto words = Philox::draw({id / 4, static_cast<uint32_t>(position), 0, 0}, 0, 0);
            for (uint32_t i = 0; i < 4; ++i) {
                if (words[i] >= smallest) continue;
                smallest = words[i];
                winner = id + i;
            }
        }
        ASSERT_EQ(element(token, 0), winner) << position;
    }
}

// 129,279 tokens of probability 2.5e-8 each have 0.0032 together.
TEST(Sample, FarTokensWinAsOftenAsTheyShould) {
    testing::CpuStream s;
    const int V = 129280, draws = 2000;
    HostTensor logits = testing::allocate(DType::f32, {1, V});
    std::fill_n(logits.view.as<float>(), V, -17.5f);
    logits.view.as<float>()[777] = 0;
    HostTensor token = testing::poisoned(DType::i32, {1});
    int far = 0;
    for (int i = 0; i < draws; ++i) {
        const SampleRow row{.temperature = 1, .position = i};
        ops::sample(s, token, logits, {&row, 1}, V);
        far += element(token, 0) != 777;
    }
    EXPECT_GE(far, 2);
    EXPECT_LE(far, 15);  // 6.5 are expected.
}

TEST(Sample, ARowAloneIsTheRowInABatch) {
    testing::CpuStream s, one(1);
    const int S = 24, V = 1000;
    const HostTensor logits = testing::normal(DType::f32, {S, V + 3}, 1, 3);
    const Tensor view = logits.view.split_last(V, 3)[0];
    std::vector<SampleRow> rows = ways();
    rows.resize(S);
    rows[5].temperature = 0;
    const auto all = sample(s, view, rows, V);
    for (int i = 0; i < S; ++i)
        EXPECT_EQ(sample(one, view.rows(i, i + 1), {rows[i]}, V)[0], all[i]) << i;
}

TEST(Sample, GreedyTakesTheLowerIdOfATie) {
    testing::CpuStream s;
    for (const int V : {1, 7, 64, 65, 1000, 129280}) {
        HostTensor logits = testing::normal(DType::f32, {1, V}, 3);
        const int first = V / 3, second = V - 1;
        logits.view.as<float>()[first] = logits.view.as<float>()[second] = 50;
        EXPECT_EQ(sample(s, logits, {SampleRow{}}, V)[0], first) << V;
        EXPECT_EQ(sample(s, logits, {SampleRow{.temperature = 9e-6f}}, V)[0], first) << V;
    }
}

TEST(Sample, IdsBeyondTheVocabularyAreNeverDrawn) {
    testing::CpuStream s;
    HostTensor logits = testing::zeros(DType::f32, {2, 80});
    for (int i = 70; i < 80; ++i) logits.view.as<float>()[i] = logits.view.as<float>()[80 + i] = 99;
    for (int position = 0; position < 200; ++position) {
        const auto tokens =
            sample(s, logits, {SampleRow{}, SampleRow{.temperature = 1, .position = position}}, 70);
        EXPECT_EQ(tokens[0], 0);
        EXPECT_LT(tokens[1], 70);
    }
}

TEST(Sample, MaskedRowsAndOddNumbers) {
    testing::CpuStream s;
    const float low = -static_cast<float>(kInf), high = static_cast<float>(kInf);
    const float nan = std::nanf("");
    const SampleRow random{.temperature = 1, .top_p = 0.9f, .top_k = 3, .min_p = 0.01f};
    for (const SampleRow& how : {SampleRow{}, random, SampleRow{.temperature = 1}}) {
        const HostTensor logits = matrix({{low, low, -3, low},
                                          {low, low, low, low},
                                          {nan, nan, 1, nan},
                                          {nan, nan, nan, nan},
                                          {0, high, 0, high}});
        std::vector<SampleRow> rows(5, how);
        for (SampleRow& row : rows) row.fallback = 3;
        EXPECT_EQ(sample(s, logits, rows, 4), (std::vector<int>{2, 3, 2, 3, 1}));
    }
}

TEST(Sample, ANaNDoesNotHideALogit) {  // Of the same lane of a vector, before and behind it.
    testing::CpuStream s;
    for (const int at : {11, 27}) {
        HostTensor logits = testing::zeros(DType::f32, {1, 70});
        logits.view.as<float>()[19] = 5;
        logits.view.as<float>()[at] = std::nanf("");
        EXPECT_EQ(sample(s, logits, {SampleRow{}}, 70)[0], 19) << at;
    }
}

TEST(Sample, NoRowsNoWork) {
    testing::CpuStream s;
    EXPECT_TRUE(sample(s, testing::zeros(DType::f32, {0, 8}), {}, 8).empty());
}

TEST(SampleDeath, OfParametersOutOfRange) {
    testing::CpuStream s(1);
    const HostTensor logits = testing::zeros(DType::f32, {1, 8});
    EXPECT_DEATH(sample(s, logits, {SampleRow{.top_p = 0}}, 8), "top_p 0");
    EXPECT_DEATH(sample(s, logits, {SampleRow{.min_p = 2}}, 8), "min_p 2");
    EXPECT_DEATH(sample(s, logits, {SampleRow{.fallback = 8}}, 8), "fallback 8 of 8");
    EXPECT_DEATH(sample(s, logits, {SampleRow{}}, 9), "vocab 9 of 8");
    EXPECT_DEATH(sample(s, logits, {}, 8), "0 rows for 1 sequences");
}

}  // namespace
}  // namespace fathom
