#pragma once

#include <memory>

#include "base/result.h"
#include "http/tls_options.h"
#include "http/transport.h"

namespace fathom::http {

// The keys of a server, read once. Outlives the transports made with it.
class Tls {
public:
    // invalid_argument, one sentence with the file: missing, not PEM, a key that is not the
    // certificate's, unknown ciphers.
    static Result<std::unique_ptr<Tls>> open(const TlsOptions& options);
    ~Tls();

    // TLS over a connected socket; the handshake comes with the first read or write. `Socket` is
    // boost::asio::generic::stream_protocol::socket, as in socket_transport.h.
    template <class Socket>
    std::unique_ptr<Transport> make_transport(Socket socket);

private:
    struct Impl;
    explicit Tls(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::http
