// What the benchmark of ops::linear is measured against: oneDNN's matmul, never part of the
// program.
#pragma once

#include <cstdint>
#include <functional>

namespace fathom::testing {

enum class PeerType : uint8_t { bf16, i8 };

// Multiplies M x K activations with an N x K weight in oneDNN's own packing, at every call: bf16 to
// bf16, or u8 times s8 to s32. `copies` weights take turns, so that a small M reads from memory.
// Empty in a build without oneDNN.
std::function<void()> peer_product(PeerType type, int64_t M, int64_t N, int64_t K, int64_t copies,
                                   int threads);

}  // namespace fathom::testing
