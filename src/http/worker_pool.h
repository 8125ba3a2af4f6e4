#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace fathom::http {

// Threads for work that would hold up the I/O thread: JSON, tokenizing. What they compute goes back
// to the I/O thread. Owner: whoever owns the server; ends before it does and after its run().
class WorkerPool {
public:
    // `post` hands a function to the I/O thread (Server::post). At most queue_max jobs wait.
    WorkerPool(int threads, size_t queue_max, std::function<void(std::function<void()>)> post);
    ~WorkerPool();  // Waits for the jobs under way; drops those that wait.

    // Calls then(work()), work on one of the threads, then() on the I/O thread. False, and neither
    // is called, when the queue is full. Work starts in the order of the calls. I/O thread only.
    template <class Work, class Then>
    [[nodiscard]] bool run(Work work, Then then) {
        return push(std::make_unique<JobOf<Work, Then>>(std::move(work), std::move(then)));
    }

private:
    struct Job {
        virtual ~Job() = default;
        virtual void work() = 0;
        virtual void finish() = 0;
    };
    template <class Work, class Then>
    struct JobOf final : Job {
        JobOf(Work w, Then t) : do_work(std::move(w)), then(std::move(t)) {}
        void work() override { result.emplace_back(do_work()); }
        void finish() override { then(std::move(result.front())); }

        Work do_work;
        Then then;
        std::vector<decltype(do_work())> result;  // None or one; not every result has a default.
    };

    bool push(std::unique_ptr<Job> job);
    void loop();
    void finish_one();

    const size_t queue_max_;
    const std::function<void(std::function<void()>)> post_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::unique_ptr<Job>> waiting_, done_;  // Guarded by mutex_, like ending_.
    bool ending_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace fathom::http
