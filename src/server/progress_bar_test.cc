#include "server/progress_bar.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(ProgressBar, DrawsAShareOfItsWidth) {
    EXPECT_EQ(
        ProgressBar::line("loading", 512 << 20, 1024 << 20, 2, true),
        "loading [####################....................] 50 % of 1.00 GiB, 2.0 s, 256 MiB/s");
    EXPECT_EQ(ProgressBar::line("loading", 0, 0, 0, false),
              "loading 100 % of 0 bytes, 0.0 s, 0 bytes/s");
}

TEST(ProgressBar, WritesALinePerTenthWhereThereIsNoTerminal) {
    std::string text;
    const Console console{.say = {}, .draw = [&](std::string_view t) { text += t; }};
    ProgressBar bar("loading", console);
    for (int i = 0; i <= 1000; ++i) bar.update(i, 1000);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11);
    EXPECT_EQ(text.find('\r'), std::string::npos);
}

TEST(BytesText, ThreeDigits) {
    EXPECT_EQ(bytes_text(7), "7 bytes");
    EXPECT_EQ(bytes_text(12 << 10), "12.0 KiB");
    EXPECT_EQ(bytes_text(int64_t{1342177280}), "1.25 GiB");
    EXPECT_EQ(bytes_text(999), "999 bytes");
    EXPECT_EQ(bytes_text(1000), "0.98 KiB");
}

}  // namespace
}  // namespace fathom
