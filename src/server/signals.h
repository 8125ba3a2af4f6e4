#pragma once

#include <functional>
#include <thread>

namespace fathom {

// SIGINT and SIGTERM as events. Construct it before any other thread starts: the signals are
// blocked in all of them and taken by one of its own. SIGPIPE is ignored.
class Signals {
public:
    // `on_signal(n)` is called on the signal thread with n = 1 at the first signal, then 2, ...
    explicit Signals(std::function<void(int)> on_signal);
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

private:
    std::thread thread_;
};

}  // namespace fathom
