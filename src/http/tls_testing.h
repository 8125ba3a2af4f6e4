#pragma once

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"

namespace fathom::http {

// Keys and certificates for tests, made when they are asked for, and a client that speaks TLS.

template <auto kFree>
struct FreeWith {
    template <class T>
    void operator()(T* object) const {
        kFree(object);
    }
};
using PKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using File = std::unique_ptr<std::FILE, FreeWith<std::fclose>>;

// A key on the curve P-256 and a certificate that it signed itself, for localhost; as PEM files.
inline void write_identity(const std::filesystem::path& key_file,
                           const std::filesystem::path& certificate_file) {
    const PKey key(EVP_EC_gen("P-256"));
    const Certificate certificate(X509_new());
    X509* x = certificate.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key.get());
    X509_NAME* name = X509_get_subject_name(x);
    const auto* common_name = reinterpret_cast<const unsigned char*>("localhost");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_EXTENSION* extension =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE");
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
    CHECK(X509_sign(x, key.get(), EVP_sha256()) > 0, "signing a certificate");
    const File key_out(std::fopen(key_file.c_str(), "w"));
    CHECK(PEM_write_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr),
          key_file);
    const File certificate_out(std::fopen(certificate_file.c_str(), "w"));
    CHECK(PEM_write_X509(certificate_out.get(), x), certificate_file);
}

// One blocking TLS connection to 127.0.0.1. connected() is false when the handshake failed.
class TlsClient {
public:
    struct Options {
        std::string key_file, certificate_file;  // Shown to the server; empty: none.
        int version_max = TLS1_3_VERSION;
    };
    explicit TlsClient(int port) : TlsClient(port, Options()) {}
    TlsClient(int port, const Options& options) : context_(SSL_CTX_new(TLS_client_method())) {
        SSL_CTX_set_max_proto_version(context_.get(), options.version_max);
        SSL_CTX_set_security_level(context_.get(), 0);  // Old versions may be tried, too.
        if (!options.key_file.empty()) {
            SSL_CTX_use_certificate_file(context_.get(), options.certificate_file.c_str(),
                                         SSL_FILETYPE_PEM);
            SSL_CTX_use_PrivateKey_file(context_.get(), options.key_file.c_str(), SSL_FILETYPE_PEM);
        }
        bio_.reset(BIO_new_ssl_connect(context_.get()));
        BIO_set_conn_hostname(bio_.get(), str("127.0.0.1:", port).c_str());
        connected_ = BIO_do_connect(bio_.get()) == 1 && BIO_do_handshake(bio_.get()) == 1;
    }

    bool connected() const { return connected_; }
    bool send(const std::string& text) {
        return BIO_write(bio_.get(), text.data(), static_cast<int>(text.size())) ==
               static_cast<int>(text.size());
    }
    // Everything until the server ends the connection, or until `until` was read.
    std::string receive(const std::string& until = "") {
        std::string all;
        char some[4096];
        while (until.empty() || all.find(until) == std::string::npos) {
            const int n = BIO_read(bio_.get(), some, sizeof some);
            if (n <= 0) break;
            all.append(some, n);
        }
        return all;
    }
    // Whether the server said that it sends nothing more, as opposed to just being gone.
    bool ended_properly() const {
        SSL* ssl = nullptr;
        BIO_get_ssl(bio_.get(), &ssl);
        return (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    }

private:
    std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>> context_;
    std::unique_ptr<BIO, FreeWith<BIO_free_all>> bio_;
    bool connected_ = false;
};

}  // namespace fathom::http
