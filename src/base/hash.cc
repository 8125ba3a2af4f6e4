#include "base/hash.h"

#include <bit>
#include <cstring>

namespace fathom {
namespace {

struct State {
    uint64_t v0, v1, v2, v3;

    void round() {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    }
    void compress(uint64_t word) {
        v3 ^= word;
        round(), round();
        v0 ^= word;
    }
    uint64_t finish(uint64_t& marked, uint64_t mark) {
        marked ^= mark;
        for (int i = 0; i < 4; ++i) round();
        return v0 ^ v1 ^ v2 ^ v3;
    }
};

}  // namespace

Hash128 siphash128(Hash128 key, std::span<const std::byte> data) {
    State s{key.lo ^ 0x736f6d6570736575, key.hi ^ 0x646f72616e646f6d ^ 0xee,
            key.lo ^ 0x6c7967656e657261, key.hi ^ 0x7465646279746573};
    const size_t whole = data.size() / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word;
        std::memcpy(&word, data.data() + i, 8);
        s.compress(word);
    }
    uint64_t last = uint64_t{data.size()} << 56;
    for (size_t i = whole; i < data.size(); ++i)
        last |= std::to_integer<uint64_t>(data[i]) << (8 * (i - whole));
    s.compress(last);
    Hash128 hash;
    hash.lo = s.finish(s.v2, 0xee);
    hash.hi = s.finish(s.v1, 0xdd);
    return hash;
}

}  // namespace fathom
