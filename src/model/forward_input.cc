#include "model/forward_input.h"

namespace fathom {
namespace {

// Hands out consecutive i32 arrays, each on a 256-byte boundary.
struct Carver {
    char* memory;
    int64_t used = 0;

    template <size_t N>
    Tensor take(const int64_t (&shape)[N]) {
        Tensor t = view_of(memory ? memory + used : nullptr, DType::i32, shape);
        int64_t bytes = size_of(DType::i32);
        for (int64_t size : shape) bytes *= size;
        used += (bytes + 255) / 256 * 256;
        return t;
    }
};

int64_t lay_out(ForwardInput& in, void* memory, const Limits& limits) {
    const int64_t T = limits.batch_tokens_max, S = limits.batch_sequences_max;
    const int64_t blocks = limits.blocks_for(limits.sequence_tokens_max);
    Carver carver{static_cast<char*>(memory)};
    in.counts = carver.take({4});
    in.tokens = carver.take({T});
    in.next_tokens = carver.take({T});
    in.positions = carver.take({T});
    in.sequences = carver.take({T});
    in.slots = carver.take({T});
    in.logits_rows = carver.take({limits.logits_rows_max});
    in.block_tables = carver.take({S, blocks});
    return carver.used;
}

}  // namespace

ForwardInput::ForwardInput(void* memory, const Limits& limits) : block_tokens(limits.block_tokens) {
    lay_out(*this, memory, limits);
}

int64_t ForwardInput::bytes(const Limits& limits) {
    ForwardInput in(nullptr, limits);
    return lay_out(in, nullptr, limits);
}

}  // namespace fathom
