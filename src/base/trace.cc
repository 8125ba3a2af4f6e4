#include "base/trace.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <vector>

namespace fathom::trace {
namespace internal {

std::atomic<bool> recording = false;

}  // namespace internal

namespace {

struct Kept {
    const char* name;
    int64_t argument;  // The id, for a span of a request.
    Clock::time_point begin, end;
    bool of_request;
};

// The last spans of one thread. Its lock is free but for the moment of stop().
struct Ring {
    std::mutex mutex;
    std::vector<Kept> spans;  // Grows to kSpansMax, then its oldest is replaced.
    size_t next = 0;
    int64_t lost = 0;
    bool thread_ended = false;
    pid_t thread = ::gettid();
    char thread_name[16] = "";

    void add(const Kept& kept) {
        const std::lock_guard lock(mutex);
        if (spans.size() < static_cast<size_t>(kSpansMax)) return spans.push_back(kept);
        spans[next] = kept;
        next = (next + 1) % kSpansMax;
        ++lost;
    }
};

struct Recorder {
    std::mutex mutex;
    std::vector<std::unique_ptr<Ring>> rings;  // One per thread that had a span.
    Clock::time_point begin;
};

// Never destroyed: a thread may still end its last span after main.
Recorder& recorder() {
    static auto* const made = new Recorder;
    return *made;
}

// This thread's ring; marks it when the thread ends, and the next stop() frees it.
class Owner {
public:
    Owner() {
        auto made = std::make_unique<Ring>();
        ring_ = made.get();
        ::pthread_getname_np(::pthread_self(), ring_->thread_name, sizeof ring_->thread_name);
        const std::lock_guard lock(recorder().mutex);
        recorder().rings.push_back(std::move(made));
    }
    ~Owner() {
        const std::lock_guard lock(ring_->mutex);
        ring_->thread_ended = true;
    }
    Ring& ring() { return *ring_; }

private:
    Ring* ring_;
};

Ring& ring() {
    thread_local Owner owner;
    return owner.ring();
}

double microseconds(Clock::duration time) {
    return std::chrono::duration<double, std::micro>(time).count();
}

class Json {
public:
    template <class... Args>
    void event(const char* format, Args... args) {
        char line[256];
        const int n = std::snprintf(line, sizeof line, format, args...);
        text_ += first_ ? "\n" : ",\n";
        first_ = false;
        text_.append(line, std::min<size_t>(n, sizeof line - 1));
    }
    std::string take(int64_t lost) {
        return std::move(text_) + "\n],\"displayTimeUnit\":\"ms\",\"otherData\":{\"lost\":\"" +
               std::to_string(lost) + "\"}}\n";
    }

private:
    std::string text_ = "{\"traceEvents\":[";
    bool first_ = true;
};

void write(Json& json, const Ring& ring, const Kept& kept, Clock::time_point begin) {
    const double ts = microseconds(kept.begin - begin);
    const double end = microseconds(kept.end - begin);
    const auto number = static_cast<long long>(kept.argument);
    if (!kept.of_request)
        return json.event(
            R"({"name":"%s","ph":"X","ts":%.3f,"dur":%.3f,"pid":1,"tid":%d,"args":{"n":%lld}})",
            kept.name, ts, end - ts, ring.thread, number);
    constexpr char kPart[] =
        R"({"name":"%s","cat":"request","id":"%lld","ph":"%s","ts":%.3f,"pid":1,"tid":%d})";
    json.event(kPart, kept.name, number, "b", ts, ring.thread);
    json.event(kPart, kept.name, number, "e", end, ring.thread);
}

}  // namespace

bool start() {
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    if (recording()) return false;
    r.begin = Clock::now();
    internal::recording = true;
    return true;
}

std::string stop() {
    Recorder& r = recorder();
    const std::lock_guard lock(r.mutex);
    if (!internal::recording.exchange(false)) return "";
    Json json;
    int64_t lost = 0;
    for (const std::unique_ptr<Ring>& ring : r.rings) {
        const std::lock_guard ring_lock(ring->mutex);
        json.event(R"({"name":"thread_name","ph":"M","pid":1,"tid":%d,"args":{"name":"%s"}})",
                   ring->thread, ring->thread_name);
        for (size_t i = 0; i < ring->spans.size(); ++i) {
            const Kept& kept = ring->spans[(ring->next + i) % ring->spans.size()];
            // One that began before, while an earlier trace was made, is not of this one.
            if (kept.begin >= r.begin) write(json, *ring, kept, r.begin);
        }
        lost += ring->lost;
        ring->spans = {};
        ring->next = 0;
        ring->lost = 0;
    }
    std::erase_if(r.rings, [](const std::unique_ptr<Ring>& ring) {
        const std::lock_guard ring_lock(ring->mutex);
        return ring->thread_ended;
    });
    return json.take(lost);
}

void internal::keep(const char* name, int64_t argument, Clock::time_point begin) {
    ring().add({name, argument, begin, Clock::now(), /*of_request=*/false});
}

void request_span(const char* name, uint64_t id, Clock::time_point begin, Clock::time_point end) {
    if (!recording()) return;
    ring().add({name, static_cast<int64_t>(id), begin, std::max(begin, end), /*of_request=*/true});
}

}  // namespace fathom::trace
