#include "model/draw_tokens.h"

#include <algorithm>

#include "ops/gather_rows/gather_rows.h"
#include "ops/mask_bias/mask_bias.h"

namespace fathom {
namespace {

bool changes(const DrawRow& row) {
    const auto& [presence, frequency, repetition] = row.penalties;
    return row.constraint != nullptr || !row.allowed.empty() || !row.bad_words.empty() ||
           !row.bias.empty() || !row.masked[0].empty() || !row.masked[1].empty() || presence != 0 ||
           frequency != 0 || repetition != 1;
}

// Bits of `ids` alone. Front ends hold ids to the model's vocabulary.
void set_only(std::span<uint32_t> bits, std::span<const Token> ids) {
    std::fill(bits.begin(), bits.end(), 0);
    for (const Token id : ids) {
        CHECK(0 <= id && id / 32 < std::ssize(bits), "allowed ", id, " of ", bits.size(), " words");
        bits[id / 32] |= uint32_t{1} << id % 32;
    }
}

// Whether the next token may complete `words`: the output ends with all but its last.
bool is_due(std::span<const Token> words, std::span<const Token> output) {
    if (words.empty() || words.size() - 1 > output.size()) return false;
    const auto before = words.first(words.size() - 1);
    return std::equal(before.begin(), before.end(), output.end() - std::ssize(before));
}

// Most rows are neither penalized nor masked: the whole vocabulary is not looked at for them.
void change_row(Stream& s, Tensor logits, const DrawRow& row, std::span<uint32_t> bits) {
    if (!row.allowed.empty()) {
        set_only(bits, row.allowed);
        ops::mask_bias(s, logits, bits, {}, {});
    }
    if (row.constraint != nullptr && row.constraint->allowed(bits))
        ops::mask_bias(s, logits, bits, {}, {});
    for (const std::vector<Token>& words : row.bad_words)
        if (is_due(words, row.output)) ops::mask_bias(s, logits, {}, {&words.back(), 1}, {});
    ops::mask_bias(s, logits, {}, row.masked[0], {});
    ops::mask_bias(s, logits, {}, row.masked[1], row.bias);
    const auto& [presence, frequency, repetition] = row.penalties;
    if (presence != 0 || frequency != 0 || repetition != 1)
        ops::penalize(s, logits, row.prompt, row.output, row.penalties);
}

Tensor flat(Tensor row) { return view_of(row.data, DType::f32, {row.dim(1)}); }

}  // namespace

int64_t draw_tokens_bytes(int64_t S, int64_t V) {
    const int64_t counts = 4 * V, copy = 4 * V, bits = (V + 31) / 32 * 4;
    return S * static_cast<int64_t>(sizeof(SampleRow)) + counts + copy + bits + 5 * 64;
}

void row_logprobs(Stream& s, std::span<LogprobsRow> rows, Tensor logits, int vocab) {
    ops::logprobs(s, rows, logits, vocab);
}

void draw_tokens(Stream& s, std::span<Token> drawn, Tensor logits, std::span<const DrawRow> rows,
                 int vocab) {
    CHECK(std::ssize(rows) == logits.dim(0) && drawn.size() == rows.size(), rows.size(), " rows, ",
          logits);
    ArenaScope scope(*s.arena);
    const int64_t V = logits.dim(1), words = (V + 31) / 32;
    const Tensor samples = s.arena->tmp(DType::u8, std::ssize(rows) * sizeof(SampleRow));
    const std::span bits(s.arena->tmp(DType::i32, words).as<uint32_t>(), words);
    const Tensor copy = s.arena->tmp(DType::f32, int64_t{1}, V);
    const Tensor source = s.arena->tmp(DType::i32, int64_t{1});
    const Tensor tokens = view_of(drawn.data(), DType::i32, {std::ssize(drawn)});
    auto* sample_rows = samples.as<SampleRow>();
    for (int64_t i = 0; i < std::ssize(rows); ++i) {
        sample_rows[i] = rows[i].sample;
        if (changes(rows[i]) && !rows[i].keep_logits)
            change_row(s, flat(logits.rows(i, i + 1)), rows[i], bits);
    }
    ops::sample(s, tokens, logits, {sample_rows, rows.size()}, vocab);
    // What is changed and kept is drawn once more, from a copy.
    for (int64_t i = 0; i < std::ssize(rows); ++i) {
        if (!changes(rows[i]) || !rows[i].keep_logits) continue;
        *source.as<int32_t>() = static_cast<int32_t>(i);
        ops::gather_rows(s, copy, logits, source);
        change_row(s, flat(copy), rows[i], bits);
        ops::sample(s, tokens.rows(i, i + 1), copy, {sample_rows + i, 1}, vocab);
    }
}

}  // namespace fathom
