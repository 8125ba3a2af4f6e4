#include "http/connection.h"

#include <utility>

#include "base/check.h"
#include "http/response_head.h"

namespace fathom::http {

Connection::Connection(ConnectionHost& host, std::unique_ptr<Transport> transport, std::string peer)
    : host_(host),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      reader_(host.options().header_bytes_max, host.options().body_bytes_max) {}

void Connection::start() {
    expect_request();
    read_more();
}

void Connection::start_refused(int status, std::string_view message) { refuse(status, message); }

// What the deadline is depends on whether a request has begun.
void Connection::expect_request() {
    state_ = State::reading;
    deadline_ = Clock::now() + (reader_.started() ? host_.options().request_timeout
                                                  : host_.options().idle_timeout);
}

// Reads also while an answer is under way: only so is a client's leaving noticed.
void Connection::read_more() {
    if (reading_ || peer_done_ || state_ == State::closed) return;
    const bool busy = state_ == State::exchange || state_ == State::flushing;
    if (busy && reader_.buffered() >= host_.options().pipelined_bytes_max) return;
    reading_ = true;
    transport_->read(input_, [this](IoResult result, size_t bytes) { on_read(result, bytes); });
}

void Connection::on_read(IoResult result, size_t bytes) {
    reading_ = false;
    if (state_ == State::closed) return close_if_quiet();
    if (result == IoResult::failed) return drop();
    if (state_ == State::lingering) return result == IoResult::eof ? drop() : read_more();
    if (result == IoResult::eof) {
        peer_done_ = true;
        return on_peer_done();
    }
    const bool first = !reader_.started();
    reader_.append({input_.data(), bytes});
    if (state_ == State::reading) {
        if (first) expect_request();
        advance();
    }
    read_more();
}

void Connection::on_peer_done() {
    if (state_ == State::reading) return advance();
    if (state_ == State::exchange) probe();
}

// The client has closed its side: half, and it waits for the answer, or all of it. Which one shows
// when something is sent to it, so something without meaning is (server.h).
void Connection::probe() {
    if (request_.version == 11) {
        if (!streaming_) send("HTTP/1.1 100 Continue\r\n\r\n");
        if (streaming_ && request_.method != "HEAD") send("0");
    }
    if (watching_) return;
    watching_ = true;
    transport_->watch([this](IoResult, size_t) {
        watching_ = false;
        state_ == State::closed ? close_if_quiet() : drop();
    });
}

void Connection::advance() {
    CHECK(state_ == State::reading, "an answer is under way");
    switch (reader_.parse()) {
        case RequestReader::State::complete: return begin_exchange();
        case RequestReader::State::refused: return refuse(reader_.status(), reader_.message());
        case RequestReader::State::need_more: break;
    }
    if (peer_done_) {
        if (!reader_.started()) return drop();
        return refuse(400, "the request ends before its announced end");
    }
    if (reader_.wants_continue()) send("HTTP/1.1 100 Continue\r\n\r\n");
}

void Connection::begin_exchange() {
    request_ = reader_.take();
    request_.arrived = Clock::now();
    status_ = 0;
    keep_alive_ = request_.keep_alive;
    streaming_ = false;
    state_ = State::exchange;
    deadline_ = kNever;
    id_ = host_.begin_exchange(*this);
    host_.on_request(*this);
    if (state_ == State::exchange && peer_done_) probe();
}

// An error that http itself answers; nothing after it on this connection can be trusted.
void Connection::refuse(int status, std::string_view message) {
    const auto& error_body = host_.options().error_body;
    const std::string body = error_body ? error_body(status, message) : str(message, "\n");
    request_ = reader_.head();
    request_.arrived = Clock::now();
    id_ = 0;
    begin_answer(status, std::ssize(body));
    state_ = State::flushing;
    deadline_ = kNever;
    keep_alive_ = false;
    const char* type = error_body ? "application/json" : "text/plain; charset=utf-8";
    send(format({.status = status,
                 .keep_alive = false,
                 .content_length = std::ssize(body),
                 .content_type = type},
                with_server_headers(request_, {})) +
         body);
}

std::vector<Header> Connection::with_server_headers(const Request& request,
                                                    const std::vector<Header>& extra) const {
    std::vector<Header> headers;
    if (host_.options().answer_headers) host_.options().answer_headers(request, headers);
    headers.insert(headers.end(), extra.begin(), extra.end());
    return headers;
}

void Connection::begin_answer(int status, int64_t bytes) {
    status_ = status;
    answer_bytes_ = bytes;
}

void Connection::report(bool complete) {
    host_.on_answered({.id = id_,
                       .method = std::move(request_.method),
                       .path = std::move(request_.path),
                       .peer = peer_,
                       .status = status_,
                       .bytes = answer_bytes_,
                       .seconds = seconds_since(request_.arrived),
                       .complete = complete});
}

void Connection::reply(int status, std::string_view content_type, std::string_view body,
                       const std::vector<Header>& extra) {
    if (state_ == State::closed) return;
    CHECK(state_ == State::exchange && !streaming_, "a second answer to one request");
    keep_alive_ = keep_alive_ && !host_.stopping();
    const bool bodiless = status == 204 || status == 304;
    std::string out = format({.status = status,
                              .version = request_.version,
                              .keep_alive = keep_alive_,
                              .content_length = bodiless ? -1 : std::ssize(body),
                              .content_type = content_type},
                             with_server_headers(request_, extra));
    const bool with_body = !bodiless && request_.method != "HEAD";
    if (with_body) out.append(body);
    begin_answer(status, with_body ? std::ssize(body) : 0);
    finish_exchange();
    send(std::move(out));
}

void Connection::begin_events(const std::vector<Header>& extra) {
    if (state_ == State::closed) return;
    CHECK(state_ == State::exchange && !streaming_, "a second answer to one request");
    streaming_ = true;
    const bool chunked = request_.version == 11;
    keep_alive_ = keep_alive_ && chunked && !host_.stopping();
    begin_answer(200, 0);
    std::vector<Header> headers = with_server_headers(request_, extra);
    headers.push_back({"Cache-Control", "no-cache"});
    send(format({.status = 200,
                 .version = request_.version,
                 .keep_alive = keep_alive_,
                 .chunked = chunked,
                 .content_type = "text/event-stream; charset=utf-8"},
                headers));
}

void Connection::send_event(std::string_view data, std::string_view name) {
    if (state_ == State::closed) return;
    CHECK(state_ == State::exchange && streaming_, "send_event() outside of a stream");
    if (request_.method == "HEAD") return;
    std::string bytes = event(name, data, /*chunked=*/request_.version == 11);
    answer_bytes_ += std::ssize(bytes);
    if (output_bytes_ > 0 && output_bytes_ + bytes.size() > host_.options().output_bytes_max)
        return drop();  // It does not read what it asked for.
    send(std::move(bytes));
}

void Connection::end_events() {
    if (state_ == State::closed) return;
    CHECK(state_ == State::exchange && streaming_, "end_events() outside of a stream");
    finish_exchange();
    // An empty write, too, ends in flushed(): never from inside this call.
    send(request_.version == 11 && request_.method != "HEAD" ? "0\r\n\r\n" : "");
}

void Connection::finish_exchange() {
    host_.end_exchange(id_);
    state_ = State::flushing;
}

void Connection::send(std::string bytes) {
    output_bytes_ += bytes.size();
    output_.push_back(std::move(bytes));
    if (!writing_) write_front();
}

void Connection::write_front() {
    writing_ = true;
    write_deadline_ = Clock::now() + host_.options().write_timeout;
    transport_->write(std::string_view(output_.front()).substr(front_written_),
                      [this](IoResult result, size_t bytes) { on_write(result, bytes); });
}

void Connection::on_write(IoResult result, size_t bytes) {
    writing_ = false;
    write_deadline_ = kNever;
    if (state_ == State::closed) return close_if_quiet();
    if (result != IoResult::ok) return drop();
    output_bytes_ -= bytes;
    front_written_ += bytes;
    if (front_written_ == output_.front().size()) {
        output_.pop_front();
        front_written_ = 0;
    }
    if (!output_.empty()) return write_front();
    if (state_ == State::flushing) flushed();
}

// The answer is with the kernel: the next request, or the end of the connection.
void Connection::flushed() {
    report(/*complete=*/true);
    request_ = {};
    if (keep_alive_ && !host_.stopping()) {
        expect_request();
        advance();
        return read_more();
    }
    // Closing at once could reset the connection before the client has read the answer.
    state_ = State::lingering;
    deadline_ = Clock::now() + host_.options().linger_timeout;
    writing_ = true;
    transport_->shutdown_send([this](IoResult, size_t) {
        writing_ = false;
        if (state_ == State::closed) return close_if_quiet();
        if (peer_done_) drop();
    });
    read_more();
}

void Connection::check_deadlines(Clock::time_point now) {
    if (now >= write_deadline_) return drop();
    if (now < deadline_ || state_ == State::closed) return;
    if (state_ == State::reading && reader_.started())
        return refuse(408, str("the request did not arrive within ",
                               host_.options().request_timeout.count() / 1000.0, " s"));
    drop();
}

void Connection::stop_when_idle() {
    if (state_ == State::reading) drop();
}

void Connection::drop() {
    if (state_ == State::closed) return;
    const State before = std::exchange(state_, State::closed);
    transport_->close();
    if (before == State::exchange) {
        host_.end_exchange(id_);
        host_.on_disconnect(id_);
    }
    if (before == State::exchange || before == State::flushing) report(/*complete=*/false);
    close_if_quiet();
}

void Connection::close_if_quiet() {
    if (reading_ || writing_ || watching_ || reported_closed_) return;
    reported_closed_ = true;
    host_.on_closed(*this);
}

}  // namespace fathom::http
