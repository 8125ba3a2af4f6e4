#include "engine/inbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace fathom {
namespace {

using namespace std::chrono_literals;

Request request(uint64_t id) { return {.id = id, .prompt = {1}}; }

TEST(Inbox, HandsOutWhatCameInOrder) {
    Inbox inbox;
    for (uint64_t id = 0; id < 3; ++id) ASSERT_TRUE(inbox.submit(request(id), 10).ok());
    inbox.cancel(1);
    const Inbox::Mail mail = inbox.take(/*idle=*/true);
    ASSERT_EQ(mail.requests.size(), 3u);
    for (uint64_t id = 0; id < 3; ++id) EXPECT_EQ(mail.requests[id].id, id);
    EXPECT_EQ(mail.cancelled, std::vector<uint64_t>{1});
    const Inbox::Mail next = inbox.take(/*idle=*/false);
    EXPECT_TRUE(next.requests.empty() && next.cancelled.empty()) << "each thing once";
}

// Requests that the engine has taken and not begun count as much as those it has not seen.
TEST(Inbox, NoMoreWaitThanAllowed) {
    Inbox inbox;
    constexpr int64_t kMax = 3;
    const auto accepted = [&](int tries) {
        int count = 0;
        for (int i = 0; i < tries; ++i) {
            const Status status = inbox.submit(request(i), kMax);
            count += status.ok();
            EXPECT_TRUE(status.ok() || status.error().code == Code::overloaded);
        }
        return count;
    };
    EXPECT_EQ(accepted(5), 3);
    inbox.take(false);
    EXPECT_EQ(accepted(5), 0) << "taken, and none begun";
    inbox.set_waiting(1);
    EXPECT_EQ(accepted(5), 2);
    inbox.take(false);
    EXPECT_EQ(accepted(5), 0);
    inbox.set_waiting(0);
    EXPECT_EQ(accepted(5), 3);
}

TEST(Inbox, ACancellationIsNeverRefused) {
    Inbox inbox;
    inbox.close("closed for lunch");
    inbox.close("and for dinner");
    const Status status = inbox.submit(request(1), 10);
    EXPECT_EQ(status.error().code, Code::unavailable);
    EXPECT_EQ(status.error().message, "closed for lunch");
    inbox.cancel(7);
    EXPECT_EQ(inbox.take(true).cancelled, std::vector<uint64_t>{7});
}

TEST(Inbox, EverythingEndsTheWait) {
    const auto woken_by = [](auto&& act) {
        Inbox inbox;
        std::jthread other([&] {
            EXPECT_TRUE(inbox.wait_idle(10s));
            std::this_thread::sleep_for(2ms);
            act(inbox);
        });
        return inbox.take(/*idle=*/true);
    };
    EXPECT_EQ(woken_by([](Inbox& i) { (void)i.submit(request(1), 1).ok(); }).requests.size(), 1u);
    EXPECT_EQ(woken_by([](Inbox& i) { i.cancel(1); }).cancelled.size(), 1u);
    EXPECT_TRUE(woken_by([](Inbox& i) { i.reset_prefix_cache(); }).reset_prefix_cache);
    EXPECT_TRUE(woken_by([](Inbox& i) { i.stop(); }).stopping);
}

TEST(Inbox, WaitIdleEndsWithTheWorkTheTimeOrTheEngine) {
    Inbox inbox;
    ASSERT_TRUE(inbox.submit(request(1), 10).ok());
    EXPECT_FALSE(inbox.wait_idle(1ms)) << "a request is there";
    inbox.take(true);
    EXPECT_FALSE(inbox.wait_idle(1ms)) << "the engine works on it";
    {
        std::jthread engine([&] {
            std::this_thread::sleep_for(2ms);
            inbox.take(/*idle=*/true);  // Done, and waits for more.
        });
        EXPECT_TRUE(inbox.wait_idle(10s));
        inbox.cancel(1);
    }
    ASSERT_TRUE(inbox.submit(request(2), 10).ok());
    inbox.take(false);
    inbox.stop();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(inbox.wait_idle(10s)) << "stopped with work left";
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

}  // namespace
}  // namespace fathom
