#include "server/progress_bar.h"

#include <algorithm>
#include <cstdio>

#include "base/check.h"

namespace fathom {
namespace {

constexpr int kWidth = 40;

std::string decimals(double value, int count) {
    char text[32];
    std::snprintf(text, sizeof text, "%.*f", count, value);
    return text;
}

}  // namespace

std::string bytes_text(int64_t bytes) {
    constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    int unit = 0;
    while (value >= 1000 && unit < 4) value /= 1024, ++unit;
    return decimals(value, unit == 0 || value >= 100 ? 0
                           : value >= 10             ? 1
                                                     : 2) +
           " " + kUnits[unit];
}

ProgressBar::ProgressBar(std::string title, const Console& console)
    : title_(std::move(title)), console_(console) {}

std::string ProgressBar::line(const std::string& title, int64_t done, int64_t total, double seconds,
                              bool terminal) {
    const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
    std::string bar;
    if (terminal) {
        const int filled = std::clamp(static_cast<int>(share * kWidth), 0, kWidth);
        bar = " [" + std::string(filled, '#') + std::string(kWidth - filled, '.') + "]";
    }
    const int64_t rate =
        seconds > 0 ? static_cast<int64_t>(static_cast<double>(done) / seconds) : 0;
    return str(title, bar, " ", static_cast<int>(share * 100), " % of ", bytes_text(total), ", ",
               decimals(seconds, 1), " s, ", bytes_text(rate), "/s");
}

void ProgressBar::update(int64_t done, int64_t total) {
    const bool last = done >= total;
    const Clock::time_point now = Clock::now();
    if (console_.terminal) {
        if (!last && now - drawn_ < std::chrono::milliseconds(50)) return;
    } else {
        const int tenths = total > 0 ? static_cast<int>(10 * done / total) : 10;
        if (tenths == tenths_) return;
        tenths_ = tenths;
    }
    drawn_ = now;
    const std::string text = line(title_, done, total, seconds_since(begin_), console_.terminal);
    if (console_.terminal)
        console_.draw(str("\r", text, "\x1b[K", last ? "\n" : ""));
    else
        console_.draw(text + "\n");
}

}  // namespace fathom
