#include "model/draw_tokens.h"

namespace fathom {
namespace {

// Most rows are neither penalized nor masked: the whole vocabulary is not looked at for them.
void change_row(Stream& s, Tensor logits, const DrawRow& row) {
    const auto& [presence, frequency, repetition] = row.penalties;
    if (presence != 0 || frequency != 0 || repetition != 1)
        ops::penalize(s, logits, row.prompt, row.output, {}, row.penalties);
    for (const std::span<const Token> masked : row.masked)
        if (!masked.empty()) ops::penalize(s, logits, {}, {}, masked, {});
}

}  // namespace

void draw_tokens(Stream& s, std::span<Token> drawn, Tensor logits, std::span<const DrawRow> rows,
                 int vocab) {
    CHECK(std::ssize(rows) == logits.dim(0) && drawn.size() == rows.size(), rows.size(), " rows, ",
          logits);
    ArenaScope scope(*s.arena);
    Tensor samples = s.arena->tmp(DType::u8, std::ssize(rows) * sizeof(SampleRow));
    auto* sample_rows = samples.as<SampleRow>();
    for (int64_t i = 0; i < std::ssize(rows); ++i) {
        const Tensor row = logits.rows(i, i + 1);
        change_row(s, view_of(row.data, DType::f32, {row.dim(1)}), rows[i]);
        sample_rows[i] = rows[i].sample;
    }
    ops::sample(s, view_of(drawn.data(), DType::i32, {std::ssize(drawn)}), logits,
                {sample_rows, rows.size()}, vocab);
}

}  // namespace fathom
