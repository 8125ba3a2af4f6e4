#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace fathom {

// Philox-4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): four
// random words from a counter and a key, without a state.
struct Philox {
    static constexpr uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
    static constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
    static constexpr int kRounds = 10;

    using Words = std::array<uint32_t, 4>;

    static constexpr Words draw(Words counter, uint32_t key0, uint32_t key1) {
        auto [a, b, c, d] = counter;
        for (int round = 0; round < kRounds; ++round) {
            const uint64_t x = uint64_t{kMultiplier0} * a, y = uint64_t{kMultiplier1} * c;
            a = static_cast<uint32_t>(y >> 32) ^ b ^ key0;
            b = static_cast<uint32_t>(y);
            c = static_cast<uint32_t>(x >> 32) ^ d ^ key1;
            d = static_cast<uint32_t>(x);
            key0 += kWeyl0;
            key1 += kWeyl1;
        }
        return {a, b, c, d};
    }
};

// The random word of one token: word id % 4 of the counter (id / 4, position, choice, 0) under the
// key `seed`, low half first.
constexpr uint32_t noise_word(uint64_t seed, int choice, int position, int id) {
    const Philox::Words counter{static_cast<uint32_t>(id) / 4, static_cast<uint32_t>(position),
                                static_cast<uint32_t>(choice), 0};
    return Philox::draw(counter, static_cast<uint32_t>(seed),
                        static_cast<uint32_t>(seed >> 32))[static_cast<uint32_t>(id) % 4];
}

// -log(E) with E = -log(1 - v), v = (word + 1/2) / 2^32. Small v, which make the winners, keep all
// their digits.
inline double gumbel(uint32_t word) {
    const double v = (word + 0.5) * 0x1p-32;
    return -std::log(-std::log1p(-v));
}

}  // namespace fathom
