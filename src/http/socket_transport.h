#pragma once

#include <memory>

#include "http/transport.h"

namespace fathom::http {

// A connected stream socket of an Asio context: TCP or Unix. `Socket` is
// boost::asio::generic::stream_protocol::socket; the template keeps Asio out of this header,
// socket_transport.cc instantiates it.
template <class Socket>
std::unique_ptr<Transport> make_socket_transport(Socket socket);

}  // namespace fathom::http
