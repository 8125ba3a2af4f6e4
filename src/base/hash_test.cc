#include "base/hash.h"

#include <gtest/gtest.h>

#include <vector>

namespace fathom {
namespace {

// The authors' test vectors: key 00 01 .. 0f, data 00 01 .. of each length.
TEST(SipHash128, TheAuthorsVectors) {
    const Hash128 key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
    std::vector<std::byte> data;
    EXPECT_EQ(siphash128(key, data), (Hash128{0xe6a825ba047f81a3, 0x930255c71472f66d}));
    data.push_back(std::byte{0});
    EXPECT_EQ(siphash128(key, data), (Hash128{0x44af996bd8c187da, 0x45fc229b11597634}));
}

TEST(SipHash128, EveryByteAndTheKeyCount) {
    std::vector<std::byte> data(37);
    const Hash128 base = siphash128({1, 2}, data);
    EXPECT_NE(siphash128({1, 3}, data), base);
    for (std::byte& b : data) {
        b ^= std::byte{1};
        EXPECT_NE(siphash128({1, 2}, data), base);
        b ^= std::byte{1};
    }
    data.push_back({});
    EXPECT_NE(siphash128({1, 2}, data), base);
}

}  // namespace
}  // namespace fathom
