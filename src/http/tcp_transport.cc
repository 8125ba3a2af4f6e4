#include "http/tcp_transport.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>

namespace fathom::http {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

auto wrap(Transport::Done done) {
    return [done = std::move(done)](error_code error, size_t bytes) {
        if (!error) return done(IoResult::ok, bytes);
        done(error == boost::asio::error::eof ? IoResult::eof : IoResult::failed, 0);
    };
}

class TcpTransport final : public Transport {
public:
    explicit TcpTransport(tcp::socket socket) : socket_(std::move(socket)) {
        error_code ignored;  // Only a socket that is gone refuses, and the first read says so.
        socket_.set_option(tcp::no_delay(true), ignored);
        socket_.set_option(boost::asio::socket_base::keep_alive(true), ignored);
    }

    void read(std::span<char> into, Done done) override {
        socket_.async_read_some(boost::asio::buffer(into.data(), into.size()),
                                wrap(std::move(done)));
    }
    void write(std::string_view bytes, Done done) override {
        socket_.async_write_some(boost::asio::buffer(bytes.data(), bytes.size()),
                                 wrap(std::move(done)));
    }
    void watch(Done done) override {
        socket_.async_wait(tcp::socket::wait_error,
                           [done = std::move(done)](error_code) { done(IoResult::failed, 0); });
    }
    void shutdown_send() override {
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
    }
    void close() override {
        error_code ignored;
        socket_.close(ignored);
    }

private:
    tcp::socket socket_;
};

}  // namespace

template <>
std::unique_ptr<Transport> make_tcp_transport(tcp::socket socket) {
    return std::make_unique<TcpTransport>(std::move(socket));
}

}  // namespace fathom::http
