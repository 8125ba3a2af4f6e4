#include "model/forward.h"

namespace fathom {
namespace {

PagedTokens paged_tokens(const ForwardInput& in) {
    const int64_t T = in.num_tokens();
    return {.positions = in.positions.rows(0, T),
            .sequences = in.sequences.rows(0, T),
            .block_tables = in.block_tables.rows(0, in.num_sequences()),
            .block_tokens = in.block_tokens};
}

}  // namespace

Forward::Forward(Stream& stream, const KvCache& kv, const ForwardInput& in, DType dtype,
                 Tensor freqs_cis, Probe* probe)
    : stream(stream),
      kv(kv),
      dtype(dtype),
      longest(in.longest()),
      at(paged_tokens(in)),
      slots(in.slots.rows(0, in.num_tokens())),
      freqs_cis(freqs_cis),
      probe(probe) {}

}  // namespace fathom
