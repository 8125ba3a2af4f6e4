// What a streamed token costs the I/O thread: one event to each of many open streams, as after a
// step of the engine. The clients read on a thread of their own, whose time is not counted.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/memory.h"
#include "http/server.h"

namespace fathom::http {
namespace {

// About what a chunk of a chat holds.
const std::string kEvent =
    R"({"id":"chatcmpl-0123456789abcdef0123456789abcdef","object":"chat.completion.chunk",)"
    R"("created":1760000000,"model":"deepseek_v3.2","choices":[{"index":0,"delta":{"content":)"
    R"(" hello"},"logprobs":null,"finish_reason":null}]})";

class Streams final : public Handler {
public:
    explicit Streams(int count) : server_(options()) {
        CHECK(server_.bind().ok(), "bind");
        io_ = std::thread([this] { CHECK(server_.run(*this).ok(), "run"); });
        const int64_t before = resident_memory();
        for (int i = 0; i < count; ++i) open();
        on_io_thread([&] { CHECK(std::ssize(ids_) == count, ids_.size()); });
        bytes_per_stream = (resident_memory() - before) / count;
        reader_ = std::thread([this] { read_all(); });
    }
    ~Streams() override {
        done_ = true;
        server_.stop(std::chrono::milliseconds(0));
        io_.join();
        reader_.join();
        for (const pollfd& client : clients_) ::close(client.fd);
    }

    // One event to each; the seconds of CPU that it took the I/O thread until all were written.
    double send() {
        double seconds = 0;
        on_io_thread([&] {
            const double begin = cpu_seconds();
            for (const uint64_t id : ids_) server_.find(id)->send_event(kEvent);
            begin_ = begin;
        });
        on_io_thread([&] { seconds = cpu_seconds() - begin_; });  // After the completions.
        return seconds;
    }

    int64_t bytes_per_stream = 0;

private:
    static ServerOptions options() {
        ServerOptions options;
        options.port = 0;
        return options;
    }
    static double cpu_seconds() {
        rusage usage{};
        ::getrusage(RUSAGE_THREAD, &usage);
        const auto seconds = [](const timeval& t) {
            return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
        };
        return seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }

    void open() {
        sockaddr_in address{.sin_family = AF_INET,
                            .sin_port = htons(static_cast<uint16_t>(server_.port())),
                            .sin_addr = {htonl(INADDR_LOOPBACK)}};
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int connected;
        do connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
        while (connected != 0 && errno == ECONNREFUSED);
        CHECK(connected == 0, "connect");
        const std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        CHECK(::send(fd, request.data(), request.size(), 0) == std::ssize(request), "send");
        char head[1024];
        CHECK(::recv(fd, head, sizeof head, 0) > 0, "the head of the stream");
        clients_.push_back({fd, POLLIN, 0});
    }
    void read_all() {
        std::string some(1 << 20, ' ');
        while (!done_) {
            ::poll(clients_.data(), clients_.size(), 10);
            for (const pollfd& client : clients_)
                if (client.revents != 0) ::recv(client.fd, some.data(), some.size(), MSG_DONTWAIT);
        }
    }
    void on_io_thread(const std::function<void()>& f) {
        std::unique_lock lock(mutex_);
        bool ran = false;
        server_.post([&] {
            f();
            const std::lock_guard inner(mutex_);
            ran = true;
            changed_.notify_all();
        });
        changed_.wait(lock, [&] { return ran; });
    }

    void on_request(Exchange& http) override {
        ids_.push_back(http.id());
        http.begin_events();
    }
    void on_disconnect(uint64_t) override {}

    Server server_;
    std::vector<uint64_t> ids_;
    std::vector<pollfd> clients_;
    std::atomic<bool> done_ = false;
    double begin_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::thread io_, reader_;
};

void bench_streams(benchmark::State& state) {
    Streams streams(static_cast<int>(state.range(0)));
    double seconds = 0;
    for (auto _ : state) {
        const double step = streams.send();
        state.SetIterationTime(step);
        seconds += step;
    }
    const auto tokens = static_cast<double>(state.iterations() * state.range(0));
    state.counters["us_per_token"] = seconds * 1e6 / tokens;
    state.counters["bytes_per_stream"] = static_cast<double>(streams.bytes_per_stream);
}
BENCHMARK(bench_streams)->ArgNames({"streams"})->Arg(1)->Arg(256)->Arg(1000)->UseManualTime();

}  // namespace
}  // namespace fathom::http
