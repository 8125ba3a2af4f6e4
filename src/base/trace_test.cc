#include "base/trace.h"

#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <thread>

namespace fathom {
namespace {

using Json = nlohmann::json;

// The events of a trace that are spans, in the order of their threads and of their ends.
std::vector<Json> spans(const std::string& text) {
    const Json trace = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    EXPECT_TRUE(trace.is_object()) << text;
    std::vector<Json> found;
    for (const Json& event : trace["traceEvents"])
        if (event["ph"] != "M") found.push_back(event);
    return found;
}

TEST(Trace, NothingIsKeptWhileNothingIsRecorded) {
    { const trace::Span span("before"); }
    trace::request_span("before", 1, Clock::now(), Clock::now());
    EXPECT_EQ(trace::stop(), "");
    ASSERT_TRUE(trace::start());
    EXPECT_FALSE(trace::start());
    { const trace::Span span("during", 7); }
    const std::string text = trace::stop();
    { const trace::Span span("after"); }
    ASSERT_EQ(spans(text).size(), 1u);
    EXPECT_EQ(spans(text)[0]["name"], "during");
    EXPECT_EQ(spans(text)[0]["args"]["n"], 7);
    EXPECT_EQ(trace::stop(), "");
}

TEST(Trace, SpansOfAThreadNest) {
    ASSERT_TRUE(trace::start());
    const auto work = [] {
        for (int i = 0; i < 20; ++i) {
            const trace::Span step("step", i);
            for (int op = 0; op < 5; ++op) const trace::Span inner("op", op);
        }
    };
    std::thread other(work);
    work();
    other.join();
    std::map<int, std::vector<Json>> by_thread;
    for (const Json& span : spans(trace::stop())) by_thread[span["tid"]].push_back(span);
    ASSERT_EQ(by_thread.size(), 2u);
    for (const auto& [thread, all] : by_thread) {
        ASSERT_EQ(all.size(), 20u * 6);
        for (size_t i = 0; i < all.size(); i += 6) {  // Five ops, then the step around them.
            const double begin = all[i + 5]["ts"], end = begin + all[i + 5]["dur"].get<double>();
            double last = begin;
            for (size_t op = i; op < i + 5; ++op) {
                EXPECT_GE(all[op]["ts"].get<double>(), last - 0.002);
                last = all[op]["ts"].get<double>() + all[op]["dur"].get<double>();
            }
            EXPECT_LE(last, end + 0.002);  // Times are printed to the nanosecond.
            EXPECT_EQ(all[i + 5]["args"]["n"], i / 6);
        }
    }
}

TEST(Trace, SpansOfRequestsComeInPairs) {
    ASSERT_TRUE(trace::start());
    const auto now = Clock::now();
    trace::request_span("queue", 42, now, now + std::chrono::milliseconds(3));
    const std::vector<Json> pair = spans(trace::stop());
    ASSERT_EQ(pair.size(), 2u);
    EXPECT_EQ(pair[0]["ph"], "b");
    EXPECT_EQ(pair[1]["ph"], "e");
    EXPECT_EQ(pair[1]["id"], "42");
    EXPECT_NEAR(pair[1]["ts"].get<double>() - pair[0]["ts"].get<double>(), 3000, 1);
}

TEST(Trace, OnlyTheLastSpansAreKept) {
    ASSERT_TRUE(trace::start());
    for (int i = 0; i < trace::kSpansMax + 10; ++i) const trace::Span span("op", i);
    const std::string text = trace::stop();
    const std::vector<Json> kept = spans(text);
    ASSERT_EQ(kept.size(), static_cast<size_t>(trace::kSpansMax));
    EXPECT_EQ(kept.front()["args"]["n"], 10);
    EXPECT_EQ(kept.back()["args"]["n"], trace::kSpansMax + 9);
    EXPECT_EQ(Json::parse(text)["otherData"]["lost"], "10");
}

// Threads come, record and go while traces begin and end.
TEST(Trace, StoppingDisturbsNobody) {
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            while (!done) std::thread([] { const trace::Span span("short"); }).join();
        });
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(trace::start());
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        spans(trace::stop());
    }
    done = true;
    for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace fathom
