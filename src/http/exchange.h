#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"

namespace fathom::http {

// One request and the place for its answer. Lives from Handler::on_request until reply() or
// end_events(), or until the client left; in between it is found again with Server::find(id).
// Never keep a reference across events: keep the id. I/O thread only.
//
// The answer may come at any time, from a function given to Server::post. Sending never waits: what
// the client does not read is buffered, and beyond ServerOptions::output_bytes_max the client is
// dropped (Handler::on_disconnect). Calls for a client that left a moment ago do nothing.
class Exchange {
public:
    virtual uint64_t id() const = 0;  // Never used twice by one server.
    virtual const Request& request() const = 0;
    virtual const std::string& peer() const = 0;  // "127.0.0.1:54321", "unix"
    virtual std::string take_body() = 0;  // Moves the body out; request().body is then empty.

    // The whole answer. `extra` headers go out as they are (control characters become blanks).
    // For HEAD the body is counted and not sent. An empty content_type leaves the header out.
    virtual void reply(int status, std::string_view content_type, std::string_view body,
                       const std::vector<Header>& extra = {}) = 0;

    // An answer of server-sent events: 200, text/event-stream, chunked (HTTP/1.0: until close).
    virtual void begin_events(const std::vector<Header>& extra = {}) = 0;
    // One event, one socket write: "event: " + name where it has one, "data: " + data, blank line.
    // A line break in data starts another data line. REQUIRES begin_events().
    virtual void send_event(std::string_view data, std::string_view name = {}) = 0;
    virtual void end_events() = 0;

protected:
    ~Exchange() = default;
};

// How a request ended: its answer is with the kernel, or its client left before that.
struct Answered {
    uint64_t id = 0;           // 0: it never became an exchange (a refusal by http itself).
    std::string method, path;  // Empty where they were not readable.
    std::string peer;
    int status = 0;      // 0: the client left before an answer began.
    int64_t bytes = 0;   // Of the answer's body, heads of chunks included.
    double seconds = 0;  // From the request's last byte.
    bool complete = false;
};

// What a server does with requests. All are called on the I/O thread and must not hold it up.
class Handler {
public:
    virtual ~Handler() = default;
    virtual void on_request(Exchange& exchange) = 0;
    // The client left, or was dropped, before its answer was complete. find(id) is null by now.
    // Called from the loop, never from inside a call of Exchange.
    virtual void on_disconnect(uint64_t id) = 0;
    // Of every request, once; for logs and statistics. Called from the loop.
    virtual void on_answered(const Answered&) {}
};

}  // namespace fathom::http
