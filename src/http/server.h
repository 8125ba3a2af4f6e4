#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/exchange.h"
#include "http/tls_options.h"

namespace fathom::http {

struct ServerOptions {
    std::string host = "127.0.0.1";  // An address of this machine, or a name of one.
    int port = 8000;                 // 0 takes a free one: Server::port().
    // Listens on this Unix socket instead, which only its owner may open (mode 0600). A socket that
    // nobody listens on any more is replaced; the file goes with the server.
    std::string unix_path;
    std::optional<TlsOptions> tls;  // HTTPS

    // What a client may send. Beyond: 431, 413.
    size_t header_bytes_max = 64 << 10;
    size_t body_bytes_max = 64 << 20;
    // Read ahead while an answer is under way; beyond, reading pauses until it is sent.
    size_t pipelined_bytes_max = 128 << 10;
    // Answers that wait for a client to read them; beyond, it is dropped. One event or reply alone
    // may be larger.
    size_t output_bytes_max = 4 << 20;
    int connections_max = 4096;  // Beyond: 503 at the door.

    std::chrono::milliseconds idle_timeout{90'000};     // Between requests: closed.
    std::chrono::milliseconds request_timeout{60'000};  // First byte to last: 408.
    std::chrono::milliseconds write_timeout{60'000};    // Nothing of an answer read: dropped.
    std::chrono::milliseconds linger_timeout{2'000};    // For the client to read the last answer.

    // Adds to the headers of the answer to a request, of which only the head may be known. Called
    // once for each answer, also those of http itself. I/O thread.
    std::function<void(const Request&, std::vector<Header>&)> answer_headers;

    // The body (application/json) of the errors that http itself answers: 400, 408, 413, 417, 431,
    // 501, 503, 505. Without it the message is sent as plain text.
    std::function<std::string(int status, std::string_view message)> error_body;
};

// An HTTP/1.1 (and 1.0) server: keep-alive, pipelining (answers in order), chunked bodies,
// Expect: 100-continue, half-closed clients. One thread, the one that calls run(), does all I/O and
// calls the handler. A client that vanishes is noticed at once, also while nothing is being sent:
//   a reset, at once;
//   an end of its data, which a half-closed client sends too, by something harmless that makes a
//   vanished one answer with a reset: "100 Continue" or, inside a chunked stream, the leading zero
//   of the next chunk's size. HTTP/1.0 has neither; there the next write finds out.
class Server {
public:
    explicit Server(ServerOptions options);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Takes the port or the socket's path; clients are not served until run(). unavailable with one
    // sentence and the remedy: taken, not permitted, no address of this machine; invalid_argument:
    // no such host, a path that cannot be a socket's, keys or certificates that cannot be used.
    Status bind();
    int port() const;  // REQUIRES bind(). 0 for a Unix socket.

    // Serves until stop(). REQUIRES bind(). Once only. An error of listen() is returned.
    Status run(Handler& handler);

    // Stops accepting, closes idle connections, lets answers under way finish for `grace`, drops
    // the rest (Handler::on_disconnect), then run() returns. Again, with less grace: less. Any
    // thread.
    void stop(std::chrono::milliseconds grace);

    // Runs `function` on the I/O thread, in the order of the calls. Any thread. What is posted
    // after run() returned is never run.
    void post(std::function<void()> function);

    // Null when that exchange is answered or its client left. I/O thread only.
    Exchange* find(uint64_t id);

    int connections() const;  // Open now. I/O thread only.

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::http
