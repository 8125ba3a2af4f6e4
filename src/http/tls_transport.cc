#include "http/tls_transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/impl/src.hpp>  // Asio's TLS, compiled here once (see boost_impl.cc).
#include <boost/asio/ssl/stream.hpp>
#include <filesystem>
#include <utility>

namespace fathom::http {
namespace {

namespace asio = boost::asio;
using Socket = asio::generic::stream_protocol::socket;
using boost::system::error_code;

// An end without close_notify is a connection that broke, not one that was ended.
auto wrap(Transport::Done done) {
    return [done = std::move(done)](error_code error, size_t bytes) {
        if (!error) return done(IoResult::ok, bytes);
        done(error == asio::error::eof ? IoResult::eof : IoResult::failed, 0);
    };
}

class TlsTransport final : public Transport {
public:
    TlsTransport(Socket socket, asio::ssl::context& context)
        : stream_(std::move(socket), context) {}

    void read(std::span<char> into, Done done) override {
        after_handshake(waiting_read_, [this, into, done = std::move(done)](bool ready) {
            if (!ready) return done(IoResult::failed, 0);
            stream_.async_read_some(asio::buffer(into.data(), into.size()), wrap(done));
        });
    }
    void write(std::string_view bytes, Done done) override {
        after_handshake(waiting_write_, [this, bytes, done = std::move(done)](bool ready) {
            if (!ready) return done(IoResult::failed, 0);
            // No bytes are no record: OpenSSL would call that an error.
            if (bytes.empty())
                return asio::post(stream_.get_executor(), [done] { done(IoResult::ok, 0); });
            stream_.async_write_some(asio::buffer(bytes.data(), bytes.size()), wrap(done));
        });
    }
    void watch(Done done) override {
        stream_.lowest_layer().async_wait(Socket::wait_error, [done = std::move(done)](error_code) {
            done(IoResult::failed, 0);
        });
    }
    // The client must learn that the end is the end: close_notify.
    void shutdown_send(Done done) override {
        stream_.async_shutdown([done = std::move(done)](error_code) { done(IoResult::ok, 0); });
    }
    void close() override {
        error_code ignored;
        stream_.lowest_layer().close(ignored);
    }

private:
    using Action = std::function<void(bool ready)>;
    enum class Handshake { none, under_way, done, failed };

    void after_handshake(Action& place, Action action) {
        if (handshake_ == Handshake::done) return action(true);
        place = std::move(action);
        if (handshake_ == Handshake::under_way) return;
        if (handshake_ == Handshake::failed)
            return asio::post(stream_.get_executor(), [this] { run_waiting(false); });
        handshake_ = Handshake::under_way;
        stream_.async_handshake(asio::ssl::stream_base::server, [this](error_code error) {
            handshake_ = error ? Handshake::failed : Handshake::done;
            run_waiting(!error);
        });
    }
    // The last of the two may end this object.
    void run_waiting(bool ready) {
        const Action read = std::exchange(waiting_read_, {}),
                     write = std::exchange(waiting_write_, {});
        if (read) read(ready);
        if (write) write(ready);
    }

    asio::ssl::stream<Socket> stream_;
    Handshake handshake_ = Handshake::none;
    Action waiting_read_, waiting_write_;
};

// What OpenSSL says last, without its numbers.
std::string reason(const error_code& error) {
    const char* text = ERR_reason_error_string(static_cast<unsigned long>(error.value()));
    return text != nullptr ? text : error.message();
}

Error unusable(const char* what, const std::string& file, const std::string& why) {
    return {Code::invalid_argument, str(what, " ", file, " cannot be used: ", why)};
}

Status check_file(const char* what, const std::string& file) {
    if (file.empty())
        return Error{Code::invalid_argument,
                     str("TLS needs a key and a certificate; the ", what, " is not named")};
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file, ignored))
        return unusable(what, file, "there is no such file");
    return Unit{};
}

int verify_mode(TlsOptions::ClientCertificate asked) {
    switch (asked) {
        case TlsOptions::ClientCertificate::none: return SSL_VERIFY_NONE;
        case TlsOptions::ClientCertificate::optional: return SSL_VERIFY_PEER;
        case TlsOptions::ClientCertificate::required:
            return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    CHECK(false, "client certificate ", static_cast<int>(asked));
}

Status load(asio::ssl::context& context, const TlsOptions& options) {
    error_code error;
    if (Status status = check_file("certificate file", options.certificate_file); !status.ok())
        return status;
    if (Status status = check_file("key file", options.key_file); !status.ok()) return status;
    context.use_certificate_chain_file(options.certificate_file, error);
    if (error) return unusable("certificate file", options.certificate_file, reason(error));
    // A passphrase would be asked for on the terminal: an encrypted key is refused instead.
    context.set_password_callback([](size_t, auto) { return std::string(); }, error);
    context.use_private_key_file(options.key_file, asio::ssl::context::pem, error);
    if (error) return unusable("key file", options.key_file, reason(error));
    if (!options.client_ca_file.empty()) {
        if (Status status = check_file("CA file", options.client_ca_file); !status.ok())
            return status;
        context.load_verify_file(options.client_ca_file, error);
        if (error) return unusable("CA file", options.client_ca_file, reason(error));
        SSL_CTX_set_client_CA_list(context.native_handle(),
                                   SSL_load_client_CA_file(options.client_ca_file.c_str()));
    }
    if (!options.ciphers.empty() &&
        SSL_CTX_set_cipher_list(context.native_handle(), options.ciphers.c_str()) != 1)
        return Error{Code::invalid_argument,
                     str("OpenSSL knows none of the ciphers '", options.ciphers, "'")};
    return Unit{};
}

}  // namespace

struct Tls::Impl {
    asio::ssl::context context{asio::ssl::context::tls_server};
};

Tls::Tls(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tls::~Tls() = default;

Result<std::unique_ptr<Tls>> Tls::open(const TlsOptions& options) {
    if (options.client_certificate != TlsOptions::ClientCertificate::none &&
        options.client_ca_file.empty())
        return Error{Code::invalid_argument,
                     "client certificates are asked for, but no CA file says who may vouch for "
                     "them"};
    auto impl = std::make_unique<Impl>();
    if (Status status = load(impl->context, options); !status.ok())
        return std::move(status).error();
    SSL_CTX* context = impl->context.native_handle();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    // A connection that waits keeps no buffers: 34 KB less each.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    // Sessions are tickets of TLS; with client certificates OpenSSL also wants a name for them.
    SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>("fathom"), 6);
    SSL_CTX_set_verify(context, verify_mode(options.client_certificate), nullptr);
    return std::unique_ptr<Tls>(new Tls(std::move(impl)));
}

template <>
std::unique_ptr<Transport> Tls::make_transport(Socket socket) {
    return std::make_unique<TlsTransport>(std::move(socket), impl_->context);
}

}  // namespace fathom::http
