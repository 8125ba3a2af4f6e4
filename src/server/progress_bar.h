#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "server/console.h"

namespace fathom {

// How far a long piece of work is: a bar that redraws itself on a terminal, a plain line per tenth
// elsewhere (a log file). One thread.
class ProgressBar {
public:
    // title: "loading weights". Sizes are bytes.
    ProgressBar(std::string title, const Console& console);

    // May be called as often as work advances; draws at most 20 times a second. done == total ends
    // the bar with the time and the rate.
    void update(int64_t done, int64_t total);

    // The line for a state, without line end: what update() draws.
    static std::string line(const std::string& title, int64_t done, int64_t total, double seconds,
                            bool terminal);

private:
    const std::string title_;
    const Console& console_;
    const Clock::time_point begin_ = Clock::now();
    Clock::time_point drawn_{};
    int tenths_ = -1;  // Last line written where there is no terminal.
};

// "1.25 GiB", "640 MiB", "12 KiB", "7 bytes".
std::string bytes_text(int64_t bytes);

}  // namespace fathom
