#include "text/utf8.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

using Kind = Utf8Char::Kind;

TEST(Utf8, FirstAndLastCodePointOfEachLength) {
    const std::pair<const char*, char32_t> cases[] = {{"\x7f", 0x7f},
                                                      {"\xc2\x80", 0x80},
                                                      {"\xdf\xbf", 0x7ff},
                                                      {"\xe0\xa0\x80", 0x800},
                                                      {"\xed\x9f\xbf", 0xd7ff},
                                                      {"\xee\x80\x80", 0xe000},
                                                      {"\xef\xbf\xbf", 0xffff},
                                                      {"\xf0\x90\x80\x80", 0x10000},
                                                      {"\xf4\x8f\xbf\xbf", 0x10ffff}};
    for (const auto& [bytes, code] : cases) {
        const std::string text = std::string(bytes) + "x";
        const Utf8Char c = first_char(text);
        EXPECT_EQ(c.kind, Kind::complete) << std::hex << code * 1u;
        EXPECT_EQ(c.code, code);
        EXPECT_EQ(c.bytes, static_cast<int>(text.size()) - 1);
        EXPECT_EQ(to_valid_utf8(text), text);
    }
}

// How long the part is that can become nothing, by the standard's table 3-8 and its neighbours.
TEST(Utf8, InvalidPartsAreMaximal) {
    const std::pair<const char*, int> cases[] = {
        {"\x80", 1},         {"\xbf", 1},          {"\xc0\x80", 1},     {"\xc1\xbf", 1},
        {"\xc2x", 1},        {"\xe0\x9fx", 1},     {"\xe0\xa0x", 2},    {"\xed\xa0\x80", 1},
        {"\xf0\x8f\x80", 1}, {"\xf0\x90\x80x", 3}, {"\xf4\x90\x80", 1}, {"\xf5\x80", 1},
        {"\xff", 1},         {"\xe4\xbdx", 2},     {"\xf1\x80x", 2}};
    for (const auto& [bytes, length] : cases) {
        const Utf8Char c = first_char(bytes);
        EXPECT_EQ(c.kind, Kind::invalid) << ::testing::PrintToString(std::string(bytes));
        EXPECT_EQ(c.bytes, length) << ::testing::PrintToString(std::string(bytes));
    }
}

TEST(Utf8, ACharacterMayBeBegun) {
    for (const char* bytes : {"\xc2", "\xe4", "\xe4\xbd", "\xf0", "\xf0\x9f", "\xf0\x9f\x98"}) {
        const Utf8Char c = first_char(bytes);
        EXPECT_EQ(c.kind, Kind::incomplete);
        EXPECT_EQ(c.bytes, static_cast<int>(std::string_view(bytes).size()));
        EXPECT_EQ(to_valid_utf8(bytes), "\uFFFD");
    }
}

// As Python's bytes.decode("utf-8", "replace") has it.
TEST(Utf8, LossyConversion) {
    EXPECT_EQ(to_valid_utf8("a\xc3"
                            "b"),
              "a\uFFFDb");
    EXPECT_EQ(to_valid_utf8("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(to_valid_utf8("ok \x80\x81 \xe4\xbd\xa0\xe5\xa5"), "ok \uFFFD\uFFFD 你\uFFFD");
    EXPECT_EQ(to_valid_utf8(""), "");
}

}  // namespace
}  // namespace fathom
