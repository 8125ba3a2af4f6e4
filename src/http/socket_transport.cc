#include "http/socket_transport.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/post.hpp>

namespace fathom::http {
namespace {

using Socket = boost::asio::generic::stream_protocol::socket;
using boost::system::error_code;

auto wrap(Transport::Done done) {
    return [done = std::move(done)](error_code error, size_t bytes) {
        if (!error) return done(IoResult::ok, bytes);
        done(error == boost::asio::error::eof ? IoResult::eof : IoResult::failed, 0);
    };
}

class SocketTransport final : public Transport {
public:
    explicit SocketTransport(Socket socket) : socket_(std::move(socket)) {}

    void read(std::span<char> into, Done done) override {
        socket_.async_read_some(boost::asio::buffer(into.data(), into.size()),
                                wrap(std::move(done)));
    }
    void write(std::string_view bytes, Done done) override {
        socket_.async_write_some(boost::asio::buffer(bytes.data(), bytes.size()),
                                 wrap(std::move(done)));
    }
    void watch(Done done) override {
        socket_.async_wait(Socket::wait_error,
                           [done = std::move(done)](error_code) { done(IoResult::failed, 0); });
    }
    void shutdown_send(Done done) override {
        error_code ignored;
        socket_.shutdown(Socket::shutdown_send, ignored);
        boost::asio::post(socket_.get_executor(),
                          [done = std::move(done)] { done(IoResult::ok, 0); });
    }
    void close() override {
        error_code ignored;
        socket_.close(ignored);
    }

private:
    Socket socket_;
};

}  // namespace

template <>
std::unique_ptr<Transport> make_socket_transport(Socket socket) {
    return std::make_unique<SocketTransport>(std::move(socket));
}

}  // namespace fathom::http
