#pragma once

#include <chrono>

namespace fathom {

// The one clock of the program: monotonic. Wall time appears only in `created` fields and logs.
using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace fathom
