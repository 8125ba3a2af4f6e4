#include "ops/sample/sample.h"

#include "tensor/expect.h"

namespace fathom {

void ops::sample(Stream& s, Tensor tokens, Tensor logits, std::span<const SampleRow> rows,
                 int vocab) {
    Dim S("S"), V("V");
    expect("logits", logits, {S, V}, DType::f32);
    expect("tokens", tokens, {S}, DType::i32);
    CHECK(std::ssize(rows) == S, rows.size(), " rows for ", S, " sequences");
    CHECK(0 < vocab && vocab <= V, "vocab ", vocab, " of ", V, " logits");
    for (const SampleRow& row : rows) {
        CHECK(row.temperature >= 0 && row.top_k >= 0, row.temperature, ", top_k ", row.top_k);
        CHECK(0 < row.top_p && row.top_p <= 1, "top_p ", row.top_p);
        CHECK(0 <= row.min_p && row.min_p <= 1, "min_p ", row.min_p);
        CHECK(0 <= row.fallback && row.fallback < vocab, "fallback ", row.fallback, " of ", vocab);
    }

    if (S == 0) return;
    switch (s.device) {
        case Device::cpu: return cpu::sample(s, tokens, logits, rows, vocab);
        case Device::cuda: return cuda::sample(s, tokens, logits, rows, vocab);
    }
}

}  // namespace fathom
