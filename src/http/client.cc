#include "http/client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>

namespace fathom::http {
namespace {

namespace beast = boost::beast::http;
using Parser = beast::response_parser<beast::string_body>;

Error failed(const char* what) {
    return {Code::unavailable, str(what, ": ", std::strerror(errno))};
}

}  // namespace

struct Client::Impl {
    int fd = -1;
    int timeout_ms;
    std::string host;  // For the Host header.
    std::string input;
    std::optional<Parser> parser;
    bool head_only = false;
    std::string events;  // The body, as far as it is read and not yet taken as events.

    ~Impl() {
        if (fd >= 0) ::close(fd);
    }

    bool wait(short what) const {
        pollfd ready{fd, what, 0};
        int n;
        do n = ::poll(&ready, 1, timeout_ms);
        while (n < 0 && errno == EINTR);
        if (n == 0) errno = ETIMEDOUT;
        return n == 1;
    }

    // 0: the server has closed its side.
    Result<size_t> read_some() {
        char some[16 << 10];
        if (!wait(POLLIN)) return failed("waiting for the server");
        const ssize_t n = ::recv(fd, some, sizeof some, 0);
        if (n < 0) return failed("reading from the server");
        input.append(some, n);
        return static_cast<size_t>(n);
    }

    void start() {
        parser.emplace();
        parser->eager(true);
        parser->body_limit(boost::none);
        parser->header_limit(1 << 20);
        if (head_only) parser->skip(true);
    }

    Status read_on();
    Response head() const {
        Response response{.status = static_cast<int>(parser->get().result_int())};
        for (const auto& field : parser->get())
            response.headers.push_back(
                {std::string(field.name_string()), std::string(field.value())});
        return response;
    }
};

// Parses what is there, else waits for more. Interim answers (100 Continue) are passed over.
Status Client::Impl::read_on() {
    if (!parser) start();
    boost::system::error_code error;
    if (!input.empty()) {
        const size_t used =
            parser->put(boost::asio::const_buffer(input.data(), input.size()), error);
        input.erase(0, used);
        if (error && error != beast::error::need_more)
            return Error{Code::corrupt, str("the server's answer: ", error.message())};
        if (parser->is_header_done() && parser->get().result_int() / 100 == 1) {
            parser.reset();
            return Unit{};
        }
        if (used > 0) return Unit{};
    }
    Result<size_t> got = read_some();
    if (!got.ok()) return std::move(got).error();
    if (got.value() > 0) return Unit{};
    if (!parser->got_some()) return Error{Code::unavailable, "the server closed the connection"};
    error = {};
    parser->put_eof(error);
    if (error) return Error{Code::corrupt, "the server closed in the middle of an answer"};
    return Unit{};
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::connect(const std::string& host, int port,
                               std::chrono::milliseconds timeout) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    if (const int code = ::getaddrinfo(host.c_str(), str(port).c_str(), &hints, &found); code != 0)
        return Error{Code::invalid_argument, str("host '", host, "': ", ::gai_strerror(code))};
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);

    auto impl = std::make_unique<Impl>();
    impl->timeout_ms = static_cast<int>(timeout.count());
    impl->host = str(host, ":", port);
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
        impl->fd = ::socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (impl->fd < 0) return failed("socket");
        const timeval limit{timeout.count() / 1000, timeout.count() % 1000 * 1000};
        ::setsockopt(impl->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // connect() too
        if (::connect(impl->fd, at->ai_addr, at->ai_addrlen) == 0) {
            const int on = 1;
            ::setsockopt(impl->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return Client(std::move(impl));
        }
        ::close(std::exchange(impl->fd, -1));
    }
    return failed(str("connecting to ", host, ":", port).c_str());
}

Result<Client> Client::connect_unix(const std::string& path, std::chrono::milliseconds timeout) {
    sockaddr_un address{.sun_family = AF_UNIX};
    if (path.size() >= sizeof address.sun_path)
        return Error{Code::invalid_argument, str("the socket's path ", path, " is too long")};
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    auto impl = std::make_unique<Impl>();
    impl->timeout_ms = static_cast<int>(timeout.count());
    impl->host = "localhost";
    impl->fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (impl->fd < 0) return failed("socket");
    if (::connect(impl->fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return failed(str("connecting to ", path).c_str());
    return Client(std::move(impl));
}

Status Client::send_raw(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(impl_->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed("sending to the server");
        bytes.remove_prefix(n);
    }
    return Unit{};
}

Status Client::send(std::string_view method, std::string_view target, std::string_view body,
                    const std::vector<Header>& headers) {
    std::string text = str(method, " ", target, " HTTP/1.1\r\nHost: ", impl_->host, "\r\n");
    if (!body.empty() || method == "POST") text += str("Content-Length: ", body.size(), "\r\n");
    if (!body.empty() && find_header(headers, "Content-Type").empty())
        text += "Content-Type: application/json\r\n";
    for (const Header& header : headers) text += str(header.name, ": ", header.value, "\r\n");
    return send_raw(text.append("\r\n").append(body));
}

Result<Response> Client::receive() {
    Result<Response> response = receive_head();
    if (!response.ok()) return response;
    while (!impl_->parser->is_done())
        if (Status status = impl_->read_on(); !status.ok()) return std::move(status).error();
    response.value().body = std::move(impl_->parser->get().body());
    impl_->parser.reset();
    return response;
}

Result<Response> Client::receive_head_only() {
    impl_->head_only = true;
    Result<Response> response = receive();
    impl_->head_only = false;
    return response;
}

Result<Response> Client::receive_head() {
    while (!impl_->parser || !impl_->parser->is_header_done())
        if (Status status = impl_->read_on(); !status.ok()) return std::move(status).error();
    return impl_->head();
}

Result<std::optional<std::string>> Client::next_event() {
    Impl& c = *impl_;
    while (true) {
        if (c.parser) c.events.append(std::exchange(c.parser->get().body(), {}));
        if (const size_t end = c.events.find("\n\n"); end != std::string::npos) {
            std::string data = c.events.substr(0, end);
            c.events.erase(0, end + 2);
            if (data.starts_with("event: ")) data.erase(0, data.find('\n') + 1);
            if (!data.starts_with("data: "))
                return Error{Code::corrupt, str("an event without data: ", data)};
            return std::optional(data.substr(6));
        }
        if (!c.parser) return std::optional<std::string>();
        if (c.parser->is_done()) {
            c.parser.reset();
            continue;
        }
        if (Status status = c.read_on(); !status.ok()) return std::move(status).error();
    }
}

Result<Response> Client::request(std::string_view method, std::string_view target,
                                 std::string_view body, const std::vector<Header>& headers) {
    if (Status status = send(method, target, body, headers); !status.ok())
        return std::move(status).error();
    return method == "HEAD" ? receive_head_only() : receive();
}

void Client::shutdown_send() { ::shutdown(impl_->fd, SHUT_WR); }

void Client::reset() {
    const linger hard{1, 0};
    ::setsockopt(impl_->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    ::close(std::exchange(impl_->fd, -1));
}

bool Client::readable() { return !impl_->input.empty() || impl_->wait(POLLIN); }

bool Client::closed_by_server() {
    while (true) {
        impl_->input.clear();
        Result<size_t> got = impl_->read_some();
        if (!got.ok()) return errno == ECONNRESET;
        if (got.value() == 0) return true;
    }
}

}  // namespace fathom::http
