#include "engine/inbox.h"

#include <utility>

namespace fathom {

Status Inbox::submit(Request request, int64_t waiting_max) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Error{Code::unavailable, *closed_};
    if (waiting_ + std::ssize(mail_.requests) >= waiting_max)
        return Error{Code::overloaded,
                     str("too many requests are waiting (", waiting_max, "); try again later")};
    mail_.requests.push_back(std::move(request));
    changed_.notify_all();
    return Unit{};
}

void Inbox::cancel(uint64_t id) {
    const std::lock_guard lock(mutex_);
    mail_.cancelled.push_back(id);
    changed_.notify_all();
}

void Inbox::reset_prefix_cache() {
    const std::lock_guard lock(mutex_);
    mail_.reset_prefix_cache = true;
    changed_.notify_all();
}

void Inbox::close(std::string why) {
    const std::lock_guard lock(mutex_);
    if (!closed_) closed_ = std::move(why);
}

void Inbox::stop() {
    close("the server is shutting down");
    const std::lock_guard lock(mutex_);
    mail_.stopping = true;
    changed_.notify_all();
}

Inbox::Mail Inbox::take(bool idle) {
    std::unique_lock lock(mutex_);
    const auto has_mail = [this] {
        return !mail_.requests.empty() || !mail_.cancelled.empty() || mail_.reset_prefix_cache ||
               mail_.stopping;
    };
    if (idle) {
        idle_ = mail_.requests.empty();
        changed_.notify_all();
        changed_.wait(lock, has_mail);
    }
    idle_ = idle && mail_.requests.empty();
    waiting_ += std::ssize(mail_.requests);
    const bool stopping = mail_.stopping;
    return std::exchange(mail_, Mail{.stopping = stopping});
}

void Inbox::set_waiting(int64_t waiting) {
    const std::lock_guard lock(mutex_);
    waiting_ = waiting;
}

bool Inbox::wait_idle(std::chrono::milliseconds at_most) {
    std::unique_lock lock(mutex_);
    const auto is_idle = [this] { return idle_ && mail_.requests.empty(); };
    changed_.wait_for(lock, at_most, [&] { return mail_.stopping || is_idle(); });
    return is_idle();
}

}  // namespace fathom
