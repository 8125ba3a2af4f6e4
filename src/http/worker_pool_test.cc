#include "http/worker_pool.h"

#include <gtest/gtest.h>

#include <future>

#include "base/result.h"

namespace fathom::http {
namespace {

// Stands for the I/O thread: what is posted waits until the test runs it.
class Loop {
public:
    void post(std::function<void()> f) {
        const std::lock_guard lock(mutex_);
        functions_.push_back(std::move(f));
        changed_.notify_one();
    }
    void run_one() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !functions_.empty(); });
        const auto f = std::move(functions_.front());
        functions_.pop_front();
        lock.unlock();
        f();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> functions_;
};

TEST(WorkerPool, WorksElsewhereAndFinishesHere) {
    Loop loop;
    WorkerPool pool(2, 100, [&](auto f) { loop.post(std::move(f)); });
    const auto here = std::this_thread::get_id();
    int sum = 0;
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(pool.run(
            [i, here, large = std::make_unique<int>(i)]() -> Result<int> {  // Moves only.
                EXPECT_NE(std::this_thread::get_id(), here);
                if (i % 2) return Error{Code::invalid_argument, "odd"};
                return *large;
            },
            [&, here](Result<int> result) {
                EXPECT_EQ(std::this_thread::get_id(), here);
                sum += result.ok() ? result.value() : 1000;
            }));
        if (i >= 90) loop.run_one();
    }
    for (int i = 0; i < 90; ++i) loop.run_one();
    EXPECT_EQ(sum, 2450 + 50 * 1000);
}

TEST(WorkerPool, AFullQueueRefusesAndTheEndDropsWhatWaits) {
    Loop loop;
    std::promise<void> gate;
    std::atomic<int> worked = 0;
    {
        WorkerPool pool(1, 2, [&](auto f) { loop.post(std::move(f)); });
        std::promise<void> begun;
        const auto nothing = [](int) {};
        ASSERT_TRUE(pool.run(
            [&] {
                begun.set_value();
                gate.get_future().wait();
                return ++worked;
            },
            nothing));
        begun.get_future().wait();
        const auto work = [&] { return ++worked; };
        EXPECT_TRUE(pool.run(work, nothing));
        EXPECT_TRUE(pool.run(work, nothing));
        EXPECT_FALSE(pool.run(work, nothing));
        std::thread opener([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            gate.set_value();
        });
        opener.detach();
    }
    EXPECT_EQ(worked, 1);
}

}  // namespace
}  // namespace fathom::http
