#pragma once

#include "tensor/stream.h"

namespace fathom::testing {

// A CPU stream that owns its threads and its memory for temporaries.
struct CpuStream {
    explicit CpuStream(int threads = 2, int64_t arena_bytes = int64_t{256} << 20)
        : workers(threads), arena(arena_bytes) {
        stream.workers = &workers;
        stream.arena = &arena;
    }
    operator Stream&() { return stream; }

    Workers workers;
    Arena arena;
    Stream stream;
};

}  // namespace fathom::testing
