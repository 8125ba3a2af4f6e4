#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "http/server.h"
#include "http/transport.h"

namespace boost::asio {
class io_context;
}

namespace fathom::http {

// Where clients come in: a TCP port or a Unix socket, with TLS or without. Completions come from
// the loop of `io`. I/O thread, but for bind().
class Listener {
public:
    struct Client {
        std::unique_ptr<Transport> transport;
        std::string peer;  // "127.0.0.1:54321", "[::1]:54321", "unix"
    };
    using Done = std::function<void(Result<Client>)>;

    // Both must outlive it.
    Listener(boost::asio::io_context& io, const ServerOptions& options);
    ~Listener();  // As close().

    Status bind();    // As Server::bind().
    Status listen();  // From now on clients may connect.
    // One client. Errors: unavailable, as when there are no more descriptors. Nothing comes after
    // close().
    void accept(Done done);
    // Also removes the socket's file, unless another one took its place.
    void close();
    bool is_open() const;
    int port() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::http
