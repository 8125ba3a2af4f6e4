#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "http/client.h"
#include "http/server.h"

namespace fathom::http {

// A server on a free port with its own thread, and a handler that answers by path:
//   /hello       "hello METHOD PATH?QUERY"        /echo   the body
//   /events      five events "0".."4" at once     /hold   nothing: the test answers with answer()
//   /flood       events of 64 KiB until the client is dropped, at most 64 MiB
class TestServer final : public Handler {
public:
    explicit TestServer(ServerOptions options = {}) : server(local(std::move(options))) {
        const Status bound = server.bind();
        CHECK(bound.ok(), bound.error().message);
        thread_ = std::thread([this] {
            const Status served = server.run(*this);
            CHECK(served.ok(), served.error().message);
        });
        with(0, [](Exchange*) {});  // It listens from here on.
    }
    ~TestServer() override {
        server.stop(std::chrono::milliseconds(0));
        join();
    }
    void join() {
        if (thread_.joinable()) thread_.join();
    }

    Client client(std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
        Result<Client> client = Client::connect("127.0.0.1", server.port(), timeout);
        CHECK(client.ok(), client.error().message);
        return std::move(client).value();
    }

    // The id of the n-th request to /hold, once it is there; 0 after 10 s.
    uint64_t held(size_t n) { return nth(held_, n); }
    // The id of the n-th exchange whose client left.
    uint64_t left(size_t n) { return nth(left_, n); }
    size_t left_count() {
        const std::lock_guard lock(mutex_);
        return left_.size();
    }

    // What was said of the n-th request that was answered, or whose client left.
    Answered answered(size_t n) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(10), [&] { return answered_.size() > n; });
        return answered_.size() > n ? answered_[n] : Answered{};
    }

    // Runs on the I/O thread, with the exchange or null, and returns when it has run.
    template <class F>
    void with(uint64_t id, F&& f) {
        std::unique_lock lock(mutex_);
        bool done = false;
        server.post([&] {
            f(server.find(id));
            const std::lock_guard inner(mutex_);
            done = true;
            changed_.notify_all();
        });
        changed_.wait(lock, [&] { return done; });
    }

    Server server;

private:
    static ServerOptions local(ServerOptions options) {
        options.port = 0;
        return options;
    }

    uint64_t nth(const std::vector<uint64_t>& ids, size_t n) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(10), [&] { return ids.size() > n; });
        return ids.size() > n ? ids[n] : 0;
    }

    void on_request(Exchange& http) override {
        const Request& request = http.request();
        if (request.path == "/echo") return http.reply(200, "text/plain", request.body);
        if (request.path == "/hold") {
            const std::lock_guard lock(mutex_);
            held_.push_back(http.id());
            return changed_.notify_all();
        }
        if (request.path == "/events" || request.path == "/flood") {
            const bool flood = request.path == "/flood";
            const std::string big(64 << 10, 'x');
            http.begin_events();
            for (int i = 0; i < (flood ? 1024 : 5); ++i)
                http.send_event(flood ? big : std::to_string(i));
            return http.end_events();
        }
        const std::string query = request.query.empty() ? "" : "?" + request.query;
        http.reply(200, "text/plain", "hello " + request.method + " " + request.path + query,
                   {{"X-Seen", std::string(request.header("x-send"))}});
    }
    void on_disconnect(uint64_t id) override {
        const std::lock_guard lock(mutex_);
        left_.push_back(id);
        changed_.notify_all();
    }

    void on_answered(const Answered& answered) override {
        const std::lock_guard lock(mutex_);
        answered_.push_back(answered);
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<uint64_t> held_, left_;
    std::vector<Answered> answered_;
    std::thread thread_;
};

}  // namespace fathom::http
