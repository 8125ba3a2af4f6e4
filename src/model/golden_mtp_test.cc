// The MTP layer against the reference: first draft from the main model's hidden states, second from
// the first pass's output.
#include <gtest/gtest.h>

#include <algorithm>

#include "ops/gather_rows/gather_rows.h"
#include "testing/compare.h"
#include "testing/distance.h"
#include "testing/golden.h"
#include "testing/random.h"
#include "testing/tiny_model.h"

namespace fathom::testing {
namespace {

struct Case {
    std::string variant, format;
    Numerics numerics;
    int length;
    double bound;  // Median distance of logits; every position's for bf16-plain.
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.variant << "/" << c.length; }

std::vector<Token> tokens_of(const Tensor& ids) {
    return {ids.as<int32_t>(), ids.as<int32_t>() + ids.dim(0)};
}

// The draft layer run over a prompt whose next token is known, and once more for a second draft.
struct Drafts {
    explicit Drafts(TinyModel& m) : m(m), memory(ForwardInput::bytes(m.limits)) {}

    // Main model, then MTP over all positions; -> draft logits [T, vocab].
    Tensor first(const std::vector<Token>& ids, Token next, bool zero_first = true) {
        T = static_cast<int>(ids.size());
        tokens = ids;
        tokens.push_back(next);
        ForwardInput in = input(0, T);
        const Forward f = forward(in);
        Tensor x = f.tmp(f.dtype, T, m.args.dim), residual = f.tmp(f.dtype, T, m.args.dim);
        m.model->forward(f, in.tokens.rows(0, T), x, residual);
        m.model->hidden(f, x, x, residual);
        if (!zero_first) in.next_tokens.as<int32_t>()[0] = tokens[1];
        m.model->mtp()->forward(f, x, in.next_tokens.rows(0, T), x);
        return logits(f, x);
    }
    // Position T, from the first pass's last output; the token there is `next`, the one after
    // `draft`.
    Tensor second(Token draft) {
        tokens.push_back(draft);
        ForwardInput in = input(T, 1);
        const Forward f = forward(in);
        Tensor x = f.tmp(f.dtype, int64_t{1}, m.args.dim);
        const Tensor row = last.view;
        std::copy_n(row.as<char>(), m.args.dim * size_of(f.dtype), x.as<char>());
        m.model->mtp()->forward(f, x, in.next_tokens.rows(0, 1), x);
        return logits(f, x);
    }

    ForwardInput input(int computed, int count) {
        ForwardInput in(memory.data(), m.limits);
        const std::vector<int32_t> blocks = m.blocks(0);
        const SequencePart part[] = {{tokens, computed, count, blocks, true}};
        fill_input(in, part);
        return in;
    }
    Forward forward(const ForwardInput& in) {
        m.stream.arena.rewind(0);
        return Forward(m.stream, m.kv, in, m.numerics.dtype, m.model->freqs_cis(m.stream, in));
    }
    Tensor logits(const Forward& f, Tensor out) {
        const int64_t rows = out.dim(0);
        last = allocate(out.dtype, {1, m.args.dim});
        std::copy_n(out.rows(rows - 1, rows).as<char>(), m.args.dim * size_of(out.dtype),
                    last.view.as<char>());
        Tensor result = f.tmp(DType::f32, rows, m.args.vocab_size);
        m.model->mtp()->logits(f, result, out);
        return result;
    }

    TinyModel& m;
    std::vector<char> memory;
    std::vector<Token> tokens;
    HostTensor last;
    int T = 0;
};

Golden golden_of(const Case& c) {
    const std::string digits = std::to_string(c.length);
    return Golden("models/" + c.variant + "/len-" + std::string(4 - digits.size(), '0') + digits +
                  ".safetensors");
}

class GoldenMtp : public ::testing::TestWithParam<Case> {};

TEST_P(GoldenMtp, DraftLogits) {
    const Case c = GetParam();
    const Golden golden = golden_of(c);
    TinyModel m("reference", c.format, c.numerics);
    Drafts drafts(m);
    const Token next = golden["greedy_tokens"].as<int32_t>()[0];
    const Tensor all = drafts.first(tokens_of(golden["ids"]), next);
    const Tensor want = golden["mtp_draft1_logits"], positions = golden["logits_positions"];
    auto got = poisoned(DType::f32, {want.dim(0), want.dim(1)});
    ops::gather_rows(m.stream, got, all, positions);
    const std::vector<double> distances = row_distances(got, want);
    EXPECT_LE(quantile(distances, c.variant == "bf16-plain" ? 1.0 : 0.5), c.bound);

    auto want2 = allocate(DType::f32, {1, want.dim(1)});
    std::copy_n(golden["mtp_draft2_logits"].as<float>(), want.dim(1), want2.view.as<float>());
    const Tensor got2 = drafts.second(golden["mtp_drafts"].as<int32_t>()[0]);
    EXPECT_LE(row_distances(got2, want2)[0], c.variant == "bf16-plain" ? c.bound : 3 * c.bound);
}

TEST(GoldenMtpPlain, PositionZeroSeesAZeroEmbedding) {
    const Golden golden = golden_of({"bf16-plain", "bf16", kPlain, 5, 0});
    TinyModel m("reference", "bf16", kPlain);
    Drafts drafts(m);
    const Token next = golden["greedy_tokens"].as<int32_t>()[0];
    const Tensor all = drafts.first(tokens_of(golden["ids"]), next, /*zero_first=*/false);
    auto want = allocate(DType::f32, {1, m.args.vocab_size});
    std::copy_n(golden["mtp_draft1_logits_nonzero"].as<float>(), m.args.vocab_size,
                want.view.as<float>());
    EXPECT_LE(row_distances(all.rows(4, 5), want)[0], 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Tiny, GoldenMtp,
                         ::testing::Values(Case{"bf16-plain", "bf16", kPlain, 2, 1e-5},
                                           Case{"bf16-plain", "bf16", kPlain, 65, 1e-5},
                                           Case{"bf16-plain", "bf16", kPlain, 130, 1e-5},
                                           Case{"bf16-plain", "bf16", kPlain, 300, 1e-5},
                                           Case{"bf16-rounded", "bf16", kRounded, 65, 0.02},
                                           Case{"bf16-exact", "bf16", kExactFp8, 65, 0.02},
                                           Case{"fp8-exact", "fp8", kExactFp8, 65, 0.12},
                                           Case{"w8a8-exact", "w8a8", kExactFp8, 65, 0.06},
                                           Case{"w8a8-rounded", "w8a8", kRounded, 65, 0.06}));

}  // namespace
}  // namespace fathom::testing
