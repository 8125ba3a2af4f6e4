#include "http/listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstring>

#include "http/socket_transport.h"
#include "http/tls_transport.h"

namespace fathom::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Protocol>;

Error bind_error(const ServerOptions& options, const error_code& error) {
    const std::string where = str(options.host, " port ", options.port);
    if (error == asio::error::address_in_use)
        return {Code::unavailable, str(where,
                                       " is taken by another program; stop that one or choose "
                                       "another port (0 takes a free one)")};
    if (error == asio::error::access_denied)
        return {Code::unavailable, str(where, " needs a privilege; choose a port of 1024 or more")};
    if (error == boost::system::errc::address_not_available)
        return {Code::unavailable, str(options.host,
                                       " is no address of this machine; 127.0.0.1 "
                                       "serves this machine, 0.0.0.0 all networks")};
    return {Code::unavailable, str("listening on ", where, ": ", error.message())};
}

Error socket_error(const std::string& path, const std::string& why) {
    return {Code::unavailable, str("the socket ", path, " ", why)};
}

// Whether a program answers at the other end of the socket's file.
bool someone_listens(const std::string& path) {
    sockaddr_un address{.sun_family = AF_UNIX};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return true;
    const int connected = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    const int code = errno;
    ::close(fd);
    return connected == 0 || code != ECONNREFUSED;  // EAGAIN: its queue is full.
}

// Makes room for a socket at `path`: only a socket that nobody listens on gives way.
Status clear_path(const std::string& path) {
    if (path.size() >= sizeof sockaddr_un{}.sun_path)
        return Error{Code::invalid_argument,
                     str("the socket's path ", path, " has ", path.size(),
                         " bytes; the system allows ", sizeof sockaddr_un{}.sun_path - 1)};
    struct stat found {};
    if (::lstat(path.c_str(), &found) != 0) return Unit{};
    if (!S_ISSOCK(found.st_mode))
        return socket_error(path,
                            "cannot be made: a file of another kind is there; choose "
                            "another path");
    if (someone_listens(path))
        return socket_error(path,
                            "is taken by another program; stop that one or choose another "
                            "path");
    if (::unlink(path.c_str()) != 0)
        return socket_error(path,
                            str("is a stale one that cannot be removed: ", std::strerror(errno)));
    return Unit{};
}

std::string name_of(const tcp::endpoint& endpoint) {
    error_code ignored;
    const std::string address = endpoint.address().to_string();
    const bool v6 = endpoint.address().is_v6();
    return str(v6 ? "[" : "", address, v6 ? "]:" : ":", endpoint.port());
}

}  // namespace

struct Listener::Impl {
    Impl(asio::io_context& context, const ServerOptions& o)
        : io(context), options(o), acceptor(context) {}

    Result<tcp::endpoint> resolve();
    Status bind_port();
    Status bind_path();
    void accept(Done done);
    Client welcome(Protocol::socket socket);

    asio::io_context& io;
    const ServerOptions& options;
    Acceptor acceptor;
    std::unique_ptr<Tls> tls;
    int port = 0;
    struct stat file {};  // Of the socket's file, once it is there.
};

Result<tcp::endpoint> Listener::Impl::resolve() {
    error_code error;
    const auto wanted = static_cast<unsigned short>(options.port);
    if (const auto address = asio::ip::make_address(options.host, error); !error)
        return tcp::endpoint(address, wanted);
    tcp::resolver resolver(io);
    const auto found = resolver.resolve(options.host, "", tcp::resolver::passive, error);
    if (error || found.empty())
        return Error{Code::invalid_argument,
                     str("host '", options.host, "' is unknown; use an address like 127.0.0.1")};
    return tcp::endpoint(found.begin()->endpoint().address(), wanted);
}

Status Listener::Impl::bind_port() {
    if (options.port < 0 || options.port > 65535)
        return Error{Code::invalid_argument, str("port ", options.port, ": expected 0..65535")};
    Result<tcp::endpoint> found = resolve();
    if (!found.ok()) return std::move(found).error();
    const tcp::endpoint& endpoint = found.value();
    error_code error;
    acceptor.open(Protocol(endpoint.protocol()), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind({endpoint.data(), endpoint.size(), IPPROTO_TCP}, error);
    if (!error) {
        const Protocol::endpoint bound = acceptor.local_endpoint(error);
        tcp::endpoint taken;
        std::memcpy(taken.data(), bound.data(), std::min(bound.size(), taken.capacity()));
        port = taken.port();
    }
    if (!error) return Unit{};
    error_code ignored;
    acceptor.close(ignored);
    return bind_error(options, error);
}

// Listens at once: until then, another server would take the file for a stale one.
Status Listener::Impl::bind_path() {
    const std::string& path = options.unix_path;
    if (Status status = clear_path(path); !status.ok()) return status;
    const asio::local::stream_protocol::endpoint endpoint(path);
    error_code error;
    acceptor.open(Protocol(endpoint.protocol()), error);
    if (!error) acceptor.bind({endpoint.data(), endpoint.size()}, error);
    if (error) {
        error_code ignored;
        acceptor.close(ignored);
        return socket_error(path, str("cannot be made: ", error.message()));
    }
    // Nobody can connect before listen(): the mode counts from the first client on.
    const bool guarded =
        ::chmod(path.c_str(), S_IRUSR | S_IWUSR) == 0 && ::lstat(path.c_str(), &file) == 0;
    if (!guarded) return socket_error(path, str("cannot be guarded: ", std::strerror(errno)));
    acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return socket_error(path, str("cannot be listened on: ", error.message()));
    return Unit{};
}

Listener::Client Listener::Impl::welcome(Protocol::socket socket) {
    std::string peer = "unix";
    error_code error;
    if (options.unix_path.empty()) {
        const Protocol::endpoint remote = socket.remote_endpoint(error);
        tcp::endpoint endpoint;
        std::memcpy(endpoint.data(), remote.data(), std::min(remote.size(), endpoint.capacity()));
        peer = error ? "gone" : name_of(endpoint);
        // Only a socket that is gone refuses, and the first read says so.
        socket.set_option(tcp::no_delay(true), error);
        socket.set_option(asio::socket_base::keep_alive(true), error);
    }
    if (tls != nullptr) return {tls->make_transport(std::move(socket)), std::move(peer)};
    return {make_socket_transport(std::move(socket)), std::move(peer)};
}

void Listener::Impl::accept(Done done) {
    acceptor.async_accept(
        [this, done = std::move(done)](error_code error, Protocol::socket socket) mutable {
            if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
            if (error == asio::error::connection_aborted) return accept(std::move(done));
            if (error) return done(Error{Code::unavailable, error.message()});
            done(welcome(std::move(socket)));
        });
}

Listener::Listener(asio::io_context& io, const ServerOptions& options)
    : impl_(std::make_unique<Impl>(io, options)) {}
Listener::~Listener() { close(); }

Status Listener::bind() {
    CHECK(!is_open(), "bound twice");
    if (impl_->options.tls) {
        Result<std::unique_ptr<Tls>> opened = Tls::open(*impl_->options.tls);
        if (!opened.ok()) return std::move(opened).error();
        impl_->tls = std::move(opened).value();
    }
    return impl_->options.unix_path.empty() ? impl_->bind_port() : impl_->bind_path();
}

Status Listener::listen() {
    if (!impl_->options.unix_path.empty()) return Unit{};
    error_code error;
    // Two programs may both bind with reuse_address; the second learns of it here.
    impl_->acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return bind_error(impl_->options, error);
    return Unit{};
}

void Listener::accept(Done done) { impl_->accept(std::move(done)); }

void Listener::close() {
    if (!is_open()) return;
    error_code ignored;
    impl_->acceptor.close(ignored);
    const std::string& path = impl_->options.unix_path;
    struct stat now {};
    if (path.empty() || impl_->file.st_ino == 0 || ::lstat(path.c_str(), &now) != 0) return;
    if (now.st_ino == impl_->file.st_ino && now.st_dev == impl_->file.st_dev)
        ::unlink(path.c_str());
}

bool Listener::is_open() const { return impl_->acceptor.is_open(); }
int Listener::port() const { return impl_->port; }

}  // namespace fathom::http
