#include "base/log.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"

namespace fathom {
namespace {

// Standard error goes into a pipe while this lives.
class StderrPipe {
public:
    StderrPipe() : saved_(::dup(2)) {
        CHECK(::pipe(ends_) == 0, "pipe");
        ::dup2(ends_[1], 2);
        ::close(ends_[1]);
    }
    ~StderrPipe() {
        restore();
        ::close(ends_[0]);
    }
    void restore() {
        if (saved_ < 0) return;
        ::dup2(saved_, 2);
        ::close(saved_);
        saved_ = -1;
    }
    // Everything until the last writer has gone (restore() first), or nothing came for 5 s.
    std::string read_all() {
        std::string text;
        char some[4096];
        pollfd ready{ends_[0], POLLIN, 0};
        while (::poll(&ready, 1, 5000) == 1) {
            const ssize_t n = ::read(ends_[0], some, sizeof some);
            if (n <= 0) break;
            text.append(some, n);
        }
        return text;
    }

private:
    int saved_;
    int ends_[2];
};

TEST(Log, WithoutStartALineIsThereAtOnce) {
    StderrPipe pipe;
    log::warning("before ", 1, " start {}");  // Braces are text, not a format.
    log::write(log::Level::debug, "not shown");
    pipe.restore();
    const std::string text = pipe.read_all();
    EXPECT_NE(text.find(" warning before 1 start {}\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("not shown"), std::string::npos);
}

TEST(Log, NeverWaitsForTheTerminalAndDropsTheOldest) {
    constexpr int kLines = 40000;
    StderrPipe pipe;
    log::start(log::Level::info);
    const auto begin = Clock::now();
    for (int i = 0; i < kLines; ++i) log::info("line ", i, " of many");  // Fills the pipe early.
    EXPECT_LT(seconds_since(begin), 5);
    std::string text;
    std::thread reader([&] { text = pipe.read_all(); });
    log::stop();
    log::error("after stop");
    pipe.restore();
    reader.join();
    EXPECT_NE(text.find(str("line ", kLines - 1, " of many\n")), std::string::npos);
    EXPECT_EQ(text.find(str("line ", kLines / 2, " of many\n")), std::string::npos);
    EXPECT_NE(text.find(" error after stop\n"), std::string::npos);
}

}  // namespace
}  // namespace fathom
