#pragma once

#include <string>

namespace fathom::http {

// What a server shows to its clients, and asks of them. PEM files; TLS 1.2 and later.
struct TlsOptions {
    enum class ClientCertificate { none, optional, required };

    std::string key_file;
    std::string certificate_file;  // The server's own, then those between it and the root.
    std::string client_ca_file;    // Who may vouch for clients; empty: nobody.
    ClientCertificate client_certificate = ClientCertificate::none;
    std::string ciphers;  // OpenSSL's cipher list for TLS 1.2; empty: OpenSSL's default.
};

}  // namespace fathom::http
