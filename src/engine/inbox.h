#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/request.h"

namespace fathom {

// Everything that other threads tell the engine, and its one wait. Requests are bounded; there can
// be no more cancellations than requests.
class Inbox {
public:
    struct Mail {
        std::vector<Request> requests;  // In the order of arrival.
        std::vector<uint64_t> cancelled;
        bool reset_prefix_cache = false;
        bool stopping = false;
    };

    // overloaded: waiting_max requests wait, here or in the scheduler; unavailable: closed, and
    // why.
    Status submit(Request request, int64_t waiting_max);
    void cancel(uint64_t id);
    void reset_prefix_cache();
    // No more requests from now on; the first to close says why.
    void close(std::string why);
    void stop();

    // Engine thread: takes what is there; when `idle`, waits until something is. The requests count
    // as waiting until set_waiting() says otherwise.
    Mail take(bool idle);
    // Engine thread: so many of the requests taken have not been started.
    void set_waiting(int64_t waiting);

    // For drain(): waits until the engine has nothing to do or is stopped. False when there still
    // was something at the end.
    bool wait_idle(std::chrono::milliseconds at_most);

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    // Guarded by mutex_:
    Mail mail_;
    int64_t waiting_ = 0;                // Taken and not started.
    std::optional<std::string> closed_;  // Why.
    bool idle_ = true;
};

}  // namespace fathom
