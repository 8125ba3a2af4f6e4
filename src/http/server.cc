#include "http/server.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unordered_map>

#include "base/log.h"
#include "http/connection.h"
#include "http/listener.h"

namespace fathom::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

// Beyond connections_max this many clients more are told so; the others are cut off.
constexpr size_t kRefusedMax = 64;

}  // namespace

class Server::Impl final : public ConnectionHost {
public:
    explicit Impl(ServerOptions options) : options_(std::move(options)) {
        const auto shortest = std::min({options_.idle_timeout, options_.request_timeout,
                                        options_.write_timeout, options_.linger_timeout});
        tick_ = std::clamp(shortest / 8, milliseconds(5), milliseconds(500));
    }

    Status bind() { return listener_.bind(); }
    Status run(Handler& handler);
    void stop(milliseconds grace) {
        asio::post(io_, [this, grace] { begin_stop(grace); });
    }
    void post(std::function<void()> function) { asio::post(io_, std::move(function)); }
    int port() const { return listener_.port(); }
    int connections() const { return static_cast<int>(connections_.size()); }
    Exchange* find(uint64_t id) {
        const auto found = exchanges_.find(id);
        return found == exchanges_.end() ? nullptr : found->second;
    }

    const ServerOptions& options() const override { return options_; }
    bool stopping() const override { return stopping_; }
    uint64_t begin_exchange(Connection& connection) override {
        exchanges_.emplace(++last_id_, &connection);
        return last_id_;
    }
    void end_exchange(uint64_t id) override { exchanges_.erase(id); }
    void on_request(Exchange& exchange) override { handler_->on_request(exchange); }
    void on_disconnect(uint64_t id) override {
        asio::post(io_, [this, id] { handler_->on_disconnect(id); });
    }
    void on_answered(Answered answered) override {
        asio::post(io_,
                   [this, answered = std::move(answered)] { handler_->on_answered(answered); });
    }
    void on_closed(Connection& connection) override {
        asio::post(io_, [this, gone = &connection] {
            connections_.erase(gone);
            stop_if_done();
        });
    }

private:
    void accept();
    void welcome(Listener::Client client);
    void tick();
    void begin_stop(milliseconds grace);
    void stop_if_done() {
        if (stopping_ && connections_.empty()) io_.stop();
    }

    ServerOptions options_;
    milliseconds tick_;
    Handler* handler_ = nullptr;

    asio::io_context io_{1};
    Listener listener_{io_, options_};
    asio::steady_timer accept_again_{io_}, ticker_{io_};
    bool stopping_ = false;
    Clock::time_point stop_deadline_ = Clock::time_point::max();

    uint64_t last_id_ = 0;
    std::unordered_map<uint64_t, Connection*> exchanges_;  // Those without an answer.
    std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
};

Status Server::Impl::run(Handler& handler) {
    CHECK(listener_.is_open() && handler_ == nullptr, "run() once, after bind()");
    handler_ = &handler;
    if (Status status = listener_.listen(); !status.ok()) return status;
    const auto work = asio::make_work_guard(io_);
    accept();
    tick();
    io_.run();
    return Unit{};
}

void Server::Impl::accept() {
    listener_.accept([this](Result<Listener::Client> client) {
        if (stopping_) return;
        if (client.ok()) {
            welcome(std::move(client).value());
            return accept();
        }
        log::warning("accepting a client: ", client.error().message);  // No descriptors, mostly.
        accept_again_.expires_after(milliseconds(100));
        accept_again_.async_wait([this](error_code cancelled) {
            if (!cancelled && !stopping_) accept();
        });
    });
}

void Server::Impl::welcome(Listener::Client client) {
    const auto limit = static_cast<size_t>(options_.connections_max);
    if (connections_.size() >= limit + kRefusedMax) return;  // Destroyed: closed.
    auto made =
        std::make_unique<Connection>(*this, std::move(client.transport), std::move(client.peer));
    Connection& connection = *made;
    const bool full = connections_.size() >= limit;
    connections_.emplace(&connection, std::move(made));
    if (!full) return connection.start();
    connection.start_refused(503, str("all ", limit,
                                      " connections of this server are in use; try "
                                      "again later"));
}

void Server::Impl::tick() {
    const auto now = Clock::now();
    for (auto& [key, connection] : connections_) {
        if (now >= stop_deadline_) connection->drop();
        connection->check_deadlines(now);
    }
    ticker_.expires_after(stopping_ ? std::min(tick_, milliseconds(20)) : tick_);
    ticker_.async_wait([this](error_code cancelled) {
        if (!cancelled) tick();
    });
}

void Server::Impl::begin_stop(milliseconds grace) {
    stop_deadline_ = std::min(stop_deadline_, Clock::now() + grace);
    if (!stopping_) {
        stopping_ = true;
        listener_.close();
        for (auto& [key, connection] : connections_) connection->stop_when_idle();
    }
    tick();  // The deadline may be now; also a shorter tick from here on.
    stop_if_done();
}

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Server::~Server() = default;
Status Server::bind() { return impl_->bind(); }
int Server::port() const { return impl_->port(); }
Status Server::run(Handler& handler) { return impl_->run(handler); }
void Server::stop(milliseconds grace) { impl_->stop(grace); }
void Server::post(std::function<void()> function) { impl_->post(std::move(function)); }
Exchange* Server::find(uint64_t id) { return impl_->find(id); }
int Server::connections() const { return impl_->connections(); }

}  // namespace fathom::http
