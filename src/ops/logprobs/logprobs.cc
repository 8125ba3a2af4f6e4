#include "ops/logprobs/logprobs.h"

#include "tensor/expect.h"

namespace fathom {

void ops::logprobs(Stream& s, std::span<LogprobsRow> rows, Tensor logits, int vocab) {
    Dim R("R"), V("V");
    expect("logits", logits, {R, V}, DType::f32);
    CHECK(0 < vocab && vocab <= V, "vocab ", vocab, " of ", V, " logits");
    for (const LogprobsRow& row : rows) {
        CHECK(0 <= row.row && row.row < R, "row ", row.row, " of ", R);
        CHECK(0 <= row.token && row.token < V, "token ", row.token, " of ", V);
        CHECK(std::ssize(row.top) <= vocab, "top ", row.top.size(), " of ", vocab);
    }

    if (rows.empty()) return;
    switch (s.device) {
        case Device::cpu: return cpu::logprobs(s, rows, logits, vocab);
        case Device::cuda: return cuda::logprobs(s, rows, logits, vocab);
    }
}

}  // namespace fathom
