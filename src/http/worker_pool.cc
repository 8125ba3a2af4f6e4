#include "http/worker_pool.h"

#include "base/check.h"

namespace fathom::http {

WorkerPool::WorkerPool(int threads, size_t queue_max,
                       std::function<void(std::function<void()>)> post)
    : queue_max_(queue_max), post_(std::move(post)) {
    CHECK(threads >= 1 && queue_max >= 1, threads, " threads, ", queue_max, " jobs");
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { loop(); });
}

WorkerPool::~WorkerPool() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::push(std::unique_ptr<Job> job) {
    {
        const std::lock_guard lock(mutex_);
        if (waiting_.size() >= queue_max_) return false;
        waiting_.push_back(std::move(job));
    }
    changed_.notify_one();
    return true;
}

void WorkerPool::loop() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
        if (ending_) return;
        std::unique_ptr<Job> job = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        job->work();
        lock.lock();
        done_.push_back(std::move(job));
        // Under the lock, so that the order of done_ is the order of the posts.
        post_([this] { finish_one(); });
    }
}

void WorkerPool::finish_one() {
    std::unique_ptr<Job> job;
    {
        const std::lock_guard lock(mutex_);
        CHECK(!done_.empty(), "a post without a job");
        job = std::move(done_.front());
        done_.pop_front();
    }
    job->finish();
}

}  // namespace fathom::http
