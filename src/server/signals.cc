#include "server/signals.h"

#include <csignal>

namespace fathom {
namespace {

// Ends the thread; no terminal and no supervisor sends it.
constexpr int kEnd = SIGUSR2;

sigset_t watched() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : {SIGINT, SIGTERM, kEnd}) sigaddset(&set, signal);
    return set;
}

}  // namespace

Signals::Signals(std::function<void(int)> on_signal) {
    std::signal(SIGPIPE, SIG_IGN);
    const sigset_t set = watched();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread_ = std::thread([on_signal = std::move(on_signal)] {
        const sigset_t waited = watched();
        for (int count = 1, signal = 0; sigwait(&waited, &signal) == 0 && signal != kEnd; ++count)
            on_signal(count);
    });
}

Signals::~Signals() {
    pthread_kill(thread_.native_handle(), kEnd);
    thread_.join();
}

}  // namespace fathom
