#pragma once

#include <span>

#include "base/token.h"
#include "tensor/stream.h"

namespace fathom {

// What is asked of one row of logits, and the answer.
struct LogprobsRow {
    int64_t row = 0;               // Of `logits`.
    Token token = 0;               // 0 <= token < V
    std::span<RankedToken> top{};  // Out: as many of the likeliest as it has room for, <= vocab.
    float logprob = 0;             // Out: of `token`.
    int rank = 0;                  // Out: 1 + the tokens < vocab with a larger logit.
};

// Log-probabilities of raw logits: logit - log(sum of e^logit over all V). `top` holds the largest
// in falling order, ties to the lower id, only ids < vocab: the others have no text. Equal logits
// have equal logprobs, to the bit. The sum has a fixed order, so a row has the same bits in every
// company. NaN counts as -inf; without a finite largest logit every logprob is -inf.
//
//   logits  f32 [R, V]   not changed
//
// raw_logprobs of vLLM's sampler (v1/sample/sampler.py).
namespace ops {
void logprobs(Stream& s, std::span<LogprobsRow> rows, Tensor logits, int vocab);
}

// The implementations behind it. Call these only from ops:: and from tests.
namespace cpu {
void logprobs(Stream& s, std::span<LogprobsRow> rows, Tensor logits, int vocab);
}
namespace cuda {
void logprobs(Stream& s, std::span<LogprobsRow> rows, Tensor logits, int vocab);
}

}  // namespace fathom
