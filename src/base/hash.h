#pragma once

#include <cstdint>
#include <span>

#include "base/token.h"

namespace fathom {

struct Hash128 {
    uint64_t lo = 0, hi = 0;
    bool operator==(const Hash128&) const = default;
};

// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein 2012): a keyed hash that nobody without
// the key can make collide.
Hash128 siphash128(Hash128 key, std::span<const std::byte> data);

}  // namespace fathom
