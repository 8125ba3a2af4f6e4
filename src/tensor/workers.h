#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/check.h"

namespace fathom {

// The CPU threads of one rank. One caller at a time (the rank's thread, which works too); idle
// threads spin for some microseconds, then sleep. How work is cut never changes a result: an output
// element is computed whole by one thread.
class Workers {
public:
    // What each worker may use inside parallel_for without allocating.
    static constexpr size_t kScratchBytes = size_t{8} << 20;

    // REQUIRES: 1 <= threads <= 256. One thread means that everything runs in the caller.
    explicit Workers(int threads);
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    ~Workers();

    int threads() const { return threads_; }

    // Calls f(begin, end, worker) for ranges that cover [0, count) once, of at least `grain` items
    // but for the last; returns when all are done. 0 <= worker < threads(). At most `grain` items
    // run in the caller at once: give small work a large grain. Not reentrant.
    template <class F>
    void parallel_for(int64_t count, int64_t grain, F&& f) {
        CHECK(count >= 0 && grain >= 1, count, " items in grains of ", grain);
        if (count == 0) return;
        if (threads_ == 1 || count <= grain) return f(int64_t{0}, count, 0);
        // Four pieces a thread: a core that others use too does not hold up the rest.
        const int64_t piece = std::max(grain, (count + 4 * threads_ - 1) / (4 * threads_));
        Job job{.call =
                    [](void* self, int64_t begin, int64_t end, int worker) {
                        (*static_cast<std::remove_reference_t<F>*>(self))(begin, end, worker);
                    },
                .self = const_cast<void*>(static_cast<const void*>(&f)),
                .count = count,
                .piece = piece};
        run(job);
    }

    // 64-byte aligned; contents are junk at every call of parallel_for's function.
    std::span<std::byte> scratch(int worker);

private:
    struct Job {
        void (*call)(void* self, int64_t begin, int64_t end, int worker);
        void* self;
        int64_t count;
        int64_t piece;
    };
    struct Pool;

    void run(const Job& job);

    const int threads_;
    std::unique_ptr<Pool> pool_;
};

}  // namespace fathom
