#include "base/hash.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace fathom {
namespace {

// The authors' test vectors: key 00 01 .. 0f, data 00 01 .. of each length. The same come from
// `openssl mac -macopt size:16 SipHash`.
TEST(SipHash128, TheAuthorsVectors) {
    const Hash128 key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
    const std::map<size_t, Hash128> vectors{{0, {0xe6a825ba047f81a3, 0x930255c71472f66d}},
                                            {1, {0x44af996bd8c187da, 0x45fc229b11597634}},
                                            {7, {0x53c1dbd8beebf1a1, 0x3982f01fa64ab8c0}},
                                            {8, {0x61f55862baa9623b, 0xb49714f364e2830f}},
                                            {15, {0x11a8b03399e99354, 0xd9c3cf970fec087e}},
                                            {63, {0x4a83502f77d15051, 0x7cbd3f979a063e50}}};
    std::vector<std::byte> data;
    for (int i = 0; i < 64; ++i) data.push_back(static_cast<std::byte>(i));
    for (const auto& [length, hash] : vectors)
        EXPECT_EQ(siphash128(key, std::span(data).first(length)), hash) << length << " bytes";
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
