#pragma once

#include <memory>

#include "http/transport.h"

namespace fathom::http {

// A connected TCP socket of an Asio context. `Socket` is boost::asio::ip::tcp::socket; the template
// keeps Asio out of this header, tcp_transport.cc instantiates it.
template <class Socket>
std::unique_ptr<Transport> make_tcp_transport(Socket socket);

}  // namespace fathom::http
