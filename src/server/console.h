#pragma once

#include <functional>
#include <string_view>

namespace fathom {

// Where a command tells the person who started it how it goes. Filled by apps/; the lines that
// other programs collect go through base/log.h instead.
struct Console {
    std::function<void(std::string_view line)> say;   // One line, standard output.
    std::function<void(std::string_view text)> draw;  // As it is, standard error.
    bool terminal = false;                            // Whether what is drawn can be redrawn.
};

}  // namespace fathom
