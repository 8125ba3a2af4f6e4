#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/clock.h"

namespace fathom::trace {

// Where time goes, as a trace that Perfetto (ui.perfetto.dev) and chrome://tracing show. While
// nothing is recorded a span costs one relaxed load. Each thread keeps its last kSpansMax spans;
// what was before them is counted and gone. Any thread.
inline constexpr int kSpansMax = 1 << 15;

namespace internal {
extern std::atomic<bool> recording;
void keep(const char* name, int64_t argument, Clock::time_point begin);
}  // namespace internal

inline bool recording() { return internal::recording.load(std::memory_order_relaxed); }

// Begins anew. False, and nothing changes, when it is recording already.
bool start();
// Ends it and returns the trace as JSON; empty when nothing is being recorded.
std::string stop();

// From here to the end of the scope, on this thread. Scopes nest, and so do their spans.
class Span {
public:
    // `name` must live forever: a literal. `argument` is shown beside it, as "n".
    explicit Span(const char* name, int64_t argument = 0) : name_(recording() ? name : nullptr) {
        if (name_ == nullptr) return;
        argument_ = argument;
        begin_ = Clock::now();
    }
    ~Span() {
        if (name_ != nullptr) internal::keep(name_, argument_, begin_);
    }
    Span(const Span&) = delete;
    Span& operator=(const Span&) = delete;

private:
    const char* const name_;
    int64_t argument_ = 0;
    Clock::time_point begin_;
};

// A span that belongs to request `id` and to no thread: the time it waits, the time it runs. Those
// of one request are shown together. `name` as above.
void request_span(const char* name, uint64_t id, Clock::time_point begin, Clock::time_point end);

}  // namespace fathom::trace
