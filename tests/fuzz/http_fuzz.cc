// Raw bytes from a client, through the server's own connection code, over a transport in memory.
// Beyond not crashing, the pieces in which bytes arrive must not change what is read of them.
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/connection.h"
#include "http/request_reader.h"

namespace fathom::http {
namespace {

constexpr size_t kHeaderMax = 512, kBodyMax = 1024;

using Jobs = std::deque<std::function<void()>>;

// Gives `input` in pieces of `piece` bytes, then the end; takes what is written in small parts.
class MemoryTransport final : public Transport {
public:
    MemoryTransport(Jobs& jobs, std::string_view input, size_t piece, std::string& output)
        : jobs_(jobs), input_(input), piece_(piece), output_(output) {}

    void read(std::span<char> into, Done done) override {
        jobs_.push_back([this, into, done = std::move(done)] {
            if (closed_) return done(IoResult::failed, 0);
            const size_t n = std::min({piece_, into.size(), input_.size()});
            input_.copy(into.data(), n);
            input_.remove_prefix(n);
            done(n == 0 ? IoResult::eof : IoResult::ok, n);
        });
    }
    void write(std::string_view bytes, Done done) override {
        jobs_.push_back([this, bytes, done = std::move(done)] {
            if (closed_) return done(IoResult::failed, 0);
            const size_t n = std::min(bytes.size(), piece_ * 64);
            output_.append(bytes.substr(0, n));
            done(IoResult::ok, n);
        });
    }
    void watch(Done done) override { watcher_ = std::move(done); }
    void shutdown_send(Done done) override {
        jobs_.push_back([done = std::move(done)] { done(IoResult::ok, 0); });
    }
    void close() override {
        closed_ = true;
        if (watcher_) jobs_.push_back([done = std::exchange(watcher_, {})] { done({}, 0); });
    }

private:
    Jobs& jobs_;
    std::string_view input_;
    size_t piece_;
    std::string& output_;
    Done watcher_;
    bool closed_ = false;
};

// Answers at once or later, whole or as a stream, by the length of the path.
class Host final : public ConnectionHost {
public:
    Host(std::string_view input, size_t piece) {
        options_.header_bytes_max = kHeaderMax;
        options_.body_bytes_max = kBodyMax;
        options_.pipelined_bytes_max = 256;
        Connection connection(*this, std::make_unique<MemoryTransport>(jobs_, input, piece, output),
                              "memory");
        connection.start();
        while (!jobs_.empty()) {
            const auto job = std::move(jobs_.front());
            jobs_.pop_front();
            job();
        }
        if (!closed_) connection.drop();
        while (!jobs_.empty()) {
            jobs_.front()();
            jobs_.pop_front();
        }
        CHECK(closed_ && open_ == 0, "an exchange was left open");
    }

    const ServerOptions& options() const override { return options_; }
    bool stopping() const override { return false; }
    uint64_t begin_exchange(Connection& connection) override {
        CHECK(open_++ == 0, "two exchanges at once");
        connection_ = &connection;
        return ++last_id_;
    }
    void end_exchange(uint64_t) override { --open_; }
    void on_request(Exchange& http) override {
        seen.push_back(str(http.request().method, " ", http.request().path, " ",
                           http.request().query, " ", http.request().body));
        if (http.request().path.size() % 3 == 0) return http.reply(200, "a", "b");
        if (http.request().path.size() % 3 == 1) http.begin_events();
        answer_later(http.request().path.size() % 3 == 1);
    }
    void on_disconnect(uint64_t) override {}
    void on_answered(Answered) override {}
    void on_closed(Connection&) override { closed_ = true; }

    std::vector<std::string> seen;
    std::string output;

private:
    void answer_later(bool stream) {
        jobs_.push_back([this, stream, id = last_id_] {
            if (open_ == 0 || id != last_id_) return;
            if (!stream) return connection_->reply(200, "a", "b", {});
            connection_->send_event("c", "n");
            connection_->end_events();
        });
    }

    ServerOptions options_;
    Jobs jobs_;
    Connection* connection_ = nullptr;
    uint64_t last_id_ = 0;
    int open_ = 0;
    bool closed_ = false;
};

}  // namespace
}  // namespace fathom::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using fathom::http::Host;
    if (size == 0 || size > 4096) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Host whole(input, 1 << 20), pieces(input, 1 + data[0] % 16);
    CHECK(whole.seen == pieces.seen, whole.seen.size(), " requests in one piece, ",
          pieces.seen.size(), " in pieces of ", 1 + data[0] % 16);
    return 0;
}
