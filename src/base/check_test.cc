#include "base/check.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>

namespace fathom::testing {
namespace {

struct Printed {
    friend std::ostream& operator<<(std::ostream& out, const Printed&) { return out << "printed"; }
};
enum class Fruit { apple };

// What a stream would have made of them.
template <class... Args>
std::string streamed(const Args&... args) {
    std::ostringstream out;
    (out << ... << args);
    return out.str();
}

template <class... Args>
void expect_same(const Args&... args) {
    EXPECT_EQ(str(args...), streamed(args...));
}

TEST(Str, PrintsAsAStreamDoes) {
    const std::string text = "text";
    const char* pointer = "pointer";
    char array[] = "array";
    expect_same(text, std::string_view(text), "literal", pointer, array, 'c');
    expect_same(0, -7, INT64_MIN, UINT64_MAX, int16_t{-3}, size_t{5}, true, false);
    expect_same(uint8_t{65}, int8_t{66});  // A stream takes them for characters.
    expect_same(1.5, 1e-20, 100000000.0, 0.1f);
    expect_same(Printed());
    EXPECT_EQ(str(), "");
    EXPECT_EQ(str(static_cast<int>(Fruit::apple), " of ", 2), "0 of 2");
}

}  // namespace
}  // namespace fathom::testing
