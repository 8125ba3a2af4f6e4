#include "tensor/workers.h"

#include <immintrin.h>

#include <thread>
#include <vector>

#include "tensor/buffer.h"

namespace fathom {
namespace {

// About 20 us: longer than the gap between two ops of a step, short against a sleeping engine.
constexpr int kSpins = 500;

}  // namespace

struct Workers::Pool {
    Buffer scratch;
    alignas(64) std::atomic<uint32_t> generation{0};  // Odd bits of history: one more per job.
    alignas(64) std::atomic<int64_t> next{0};         // First item that nobody took.
    alignas(64) std::atomic<int> running{0};          // Threads inside the job.
    bool stopping = false;                            // Guarded by generation's release.
    Job job{};
    std::vector<std::jthread> threads;

    void work(int worker) {
        for (;;) {
            const int64_t begin = next.fetch_add(job.piece, std::memory_order_relaxed);
            if (begin >= job.count) return;
            job.call(job.self, begin, std::min(begin + job.piece, job.count), worker);
        }
    }

    void loop(int worker) {
        uint32_t seen = 0;
        for (;;) {
            for (int i = 0; i < kSpins && generation.load(std::memory_order_acquire) == seen; ++i)
                _mm_pause();
            generation.wait(seen, std::memory_order_acquire);
            seen = generation.load(std::memory_order_acquire);
            if (stopping) return;
            work(worker);
            if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_one();
        }
    }

    void announce() {
        generation.fetch_add(1, std::memory_order_release);
        generation.notify_all();
    }
};

Workers::Workers(int threads) : threads_(threads), pool_(std::make_unique<Pool>()) {
    CHECK(1 <= threads && threads <= 256, threads, " threads");
    pool_->scratch = Buffer::host(threads * static_cast<int64_t>(kScratchBytes));
    for (int worker = 1; worker < threads; ++worker)
        pool_->threads.emplace_back([this, worker] { pool_->loop(worker); });
}

Workers::~Workers() {
    pool_->stopping = true;
    pool_->announce();
}

void Workers::run(const Job& job) {
    Pool& pool = *pool_;
    pool.job = job;
    pool.next.store(0, std::memory_order_relaxed);
    pool.running.store(threads_ - 1, std::memory_order_relaxed);
    pool.announce();
    pool.work(0);
    for (int i = 0; i < kSpins && pool.running.load(std::memory_order_acquire) > 0; ++i)
        _mm_pause();
    for (int left; (left = pool.running.load(std::memory_order_acquire)) > 0;)
        pool.running.wait(left, std::memory_order_acquire);
}

std::span<std::byte> Workers::scratch(int worker) {
    CHECK(0 <= worker && worker < threads_, "worker ", worker, " of ", threads_);
    return {static_cast<std::byte*>(pool_->scratch.data()) + worker * kScratchBytes, kScratchBytes};
}

}  // namespace fathom
