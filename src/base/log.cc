#include "base/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>

namespace fathom::log {
namespace {

using Sink = spdlog::sinks::ansicolor_stderr_sink_mt;
constexpr size_t kWaitingMax = 8192;
constexpr char kPattern[] = "%Y-%m-%d %H:%M:%S.%e %^%l%$ %v";

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::info: return spdlog::level::info;
        case Level::warning: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
        case Level::off: break;
    }
    return spdlog::level::off;
}

// Never destroyed, like all loggers here: a line may still come from a destructor after main.
spdlog::logger* direct() {
    static auto* const logger = [] {
        auto* made = new spdlog::logger("direct", spdlog::sink_ptr(new Sink));
        made->set_pattern(kPattern);
        return made;
    }();
    return logger;
}

std::atomic<spdlog::logger*>& current() {
    static std::atomic<spdlog::logger*> logger = direct();
    return logger;
}

}  // namespace

void start(Level level) {
    spdlog::init_thread_pool(kWaitingMax, 1);
    static auto* const waiting =
        new auto(spdlog::create_async_nb<Sink>("fathom"));  // Drops the oldest when full.
    (*waiting)->set_pattern(kPattern);
    (*waiting)->set_level(to_spdlog(level));
    direct()->set_level(to_spdlog(level));
    current() = waiting->get();
}

void stop() {
    current() = direct();
    spdlog::shutdown();  // Joins the thread that writes, which empties the queue first.
}

void write(Level level, std::string_view text) {
    current()
        .load(std::memory_order_acquire)
        ->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace fathom::log
