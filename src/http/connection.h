#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>

#include "base/clock.h"
#include "http/exchange.h"
#include "http/request_reader.h"
#include "http/server.h"
#include "http/transport.h"

namespace fathom::http {

class Connection;

// What a connection needs of its server. I/O thread only.
class ConnectionHost {
public:
    virtual const ServerOptions& options() const = 0;
    virtual bool stopping() const = 0;
    virtual uint64_t begin_exchange(Connection& connection) = 0;  // The new id.
    virtual void end_exchange(uint64_t id) = 0;
    virtual void on_request(Exchange& exchange) = 0;
    // These must take effect later, from the loop: the caller is still at work.
    virtual void on_disconnect(uint64_t id) = 0;
    virtual void on_answered(Answered answered) = 0;
    virtual void on_closed(Connection& connection) = 0;  // It can be destroyed.

protected:
    ~ConnectionHost() = default;
};

// One client's connection: reads requests, one exchange at a time, writes answers. Owned by the
// host; lives until on_closed(), which comes when no read, write or watch is under way.
//
//   reading -> exchange -> flushing -> reading ...     and from anywhere -> closed
//                                   -> lingering -> closed
class Connection final : public Exchange {
public:
    Connection(ConnectionHost& host, std::unique_ptr<Transport> transport, std::string peer);

    void start();
    void start_refused(int status, std::string_view message);  // Answers unasked, then closes.
    void check_deadlines(Clock::time_point now);
    void stop_when_idle();  // The host is stopping: closes unless an answer is under way.
    void drop();

    uint64_t id() const override { return id_; }
    const Request& request() const override { return request_; }
    const std::string& peer() const override { return peer_; }
    std::string take_body() override { return std::move(request_.body); }
    void reply(int status, std::string_view content_type, std::string_view body,
               const std::vector<Header>& extra) override;
    void begin_events(const std::vector<Header>& extra) override;
    void send_event(std::string_view data, std::string_view name) override;
    void end_events() override;

private:
    enum class State { reading, exchange, flushing, lingering, closed };
    static constexpr Clock::time_point kNever = Clock::time_point::max();

    void read_more();
    void on_read(IoResult result, size_t bytes);
    void on_peer_done();
    void probe();
    void advance();
    void begin_exchange();
    void refuse(int status, std::string_view message);
    void send(std::string bytes);
    void write_front();
    void on_write(IoResult result, size_t bytes);
    void finish_exchange();
    void flushed();
    void begin_answer(int status, int64_t bytes);
    void report(bool complete);
    std::vector<Header> with_server_headers(const Request& request,
                                            const std::vector<Header>& extra) const;
    void expect_request();
    void close_if_quiet();

    ConnectionHost& host_;
    std::unique_ptr<Transport> transport_;
    const std::string peer_;
    RequestReader reader_;
    State state_ = State::reading;
    Clock::time_point deadline_ = kNever;        // Of the state.
    Clock::time_point write_deadline_ = kNever;  // For the client to read something.

    // The exchange under way.
    uint64_t id_ = 0;
    Request request_;
    bool streaming_ = false;
    int status_ = 0;  // 0: no answer has begun.
    int64_t answer_bytes_ = 0;
    bool keep_alive_ = true;

    bool peer_done_ = false;  // The client sends nothing more; it may still read.
    bool reading_ = false, writing_ = false, watching_ = false;
    bool reported_closed_ = false;
    std::deque<std::string> output_;
    size_t output_bytes_ = 0;  // In output_, not yet written.
    size_t front_written_ = 0;
    std::array<char, 16 << 10> input_;
};

}  // namespace fathom::http
