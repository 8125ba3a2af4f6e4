#pragma once

#include <string_view>

#include "base/check.h"

namespace fathom::log {

// One line to standard error: time, level, text. Asynchronous: the caller never waits for the
// terminal; when 8,192 lines are waiting, the oldest are dropped. Any thread.
enum class Level { debug, info, warning, error, off };

// Call once from main, before any thread. Without it lines go out synchronously.
void start(Level level);
// Writes what is waiting. Call before exit.
void stop();

void write(Level level, std::string_view text);

template <class... Args>
void info(const Args&... args) {
    write(Level::info, str(args...));
}
template <class... Args>
void warning(const Args&... args) {
    write(Level::warning, str(args...));
}
template <class... Args>
void error(const Args&... args) {
    write(Level::error, str(args...));
}

}  // namespace fathom::log
