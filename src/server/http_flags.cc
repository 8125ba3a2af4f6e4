#include "server/http_flags.h"

#include "base/environment.h"

namespace fathom {
namespace {

Error usage(std::string message) { return Error{Code::invalid_argument, std::move(message)}; }

Status check_tls(const HttpFlags& f) {
    if (f.ssl_keyfile.empty() != f.ssl_certfile.empty()) {
        const bool key = !f.ssl_keyfile.empty();
        return usage(str(key ? "--ssl-keyfile " : "--ssl-certfile ",
                         key ? f.ssl_keyfile : f.ssl_certfile, " needs ",
                         key ? "--ssl-certfile" : "--ssl-keyfile", ", too"));
    }
    const bool about_tls = !f.ssl_ca_certs.empty() || !f.ssl_ciphers.empty() || f.ssl_cert_reqs > 0;
    if (about_tls && !f.tls())
        return usage(
            "--ssl-ca-certs, --ssl-cert-reqs and --ssl-ciphers have a meaning only with "
            "--ssl-keyfile and --ssl-certfile");
    if (f.ssl_cert_reqs > 0 && f.ssl_ca_certs.empty())
        return usage(str("--ssl-cert-reqs ", f.ssl_cert_reqs,
                         " asks clients for certificates; name with --ssl-ca-certs who may vouch "
                         "for them"));
    return Unit{};
}

// A header cannot hold a key with these, so no client could ever send it.
bool sendable(const std::string& key) {
    return !key.empty() && key.find_first_of("\r\n") == std::string::npos && key.front() != ' ' &&
           key.back() != ' ';
}

}  // namespace

void add_http_flags(FlagList& o, HttpFlags& f) {
    o.text("host", f.host, "address to listen on");
    o.integer("port", f.port, 0, 65535, "TCP port; 0 takes a free one and says which");
    o.text("uds", f.uds, "Unix socket to listen on instead of host and port");
    o.text("ssl-keyfile", f.ssl_keyfile, "PEM file with the server's key: HTTPS");
    o.text("ssl-certfile", f.ssl_certfile, "PEM file with its certificates, its own first");
    o.text("ssl-ca-certs", f.ssl_ca_certs, "PEM file with who may vouch for clients");
    o.integer("ssl-cert-reqs", f.ssl_cert_reqs, 0, 2,
              "certificates of clients: 0 none, 1 optional, 2 required");
    o.text("ssl-ciphers", f.ssl_ciphers, "OpenSSL's cipher list for TLS 1.2");
    o.values("api-key", f.api_keys, "keys, one of which /v1 asks for; else VLLM_API_KEY");
    o.json_list("allowed-origins", f.allowed_origins, "CORS: origins of pages that may call");
    o.json_list("allowed-methods", f.allowed_methods, "CORS: methods that they may use");
    o.json_list("allowed-headers", f.allowed_headers, "CORS: headers that they may send");
    o.toggle("allow-credentials", f.allow_credentials, "CORS: cookies and keys may be sent");
    o.text("root-path", f.root_path, "what a proxy puts before every path");
    o.toggle("enable-request-id-headers", f.enable_request_id_headers,
             "answers carry X-Request-Id, the client's or a new one");
    o.integer("max-body-bytes", f.max_body_bytes, 1 << 10, int64_t{1} << 30,
              "of a request; more get 413");
    o.integer("h11-max-incomplete-event-size", f.max_header_bytes, 1 << 10, 16 << 20,
              "bytes of a request's header; more get 431");
}

Status settle_http_flags(HttpFlags& f) {
    if (f.api_keys.empty())
        if (std::string key = environment("VLLM_API_KEY"); !key.empty())
            f.api_keys.push_back(std::move(key));
    for (const std::string& key : f.api_keys)
        if (!sendable(key))
            return usage(
                "--api-key: a key is empty, or has blanks around it or a line break in "
                "it, which no client could send");
    while (f.root_path.ends_with('/')) f.root_path.pop_back();
    if (!f.root_path.empty() && !f.root_path.starts_with('/'))
        return usage(
            str("--root-path ", f.root_path, " does not begin with a slash; write /", f.root_path));
    return check_tls(f);
}

http::ServerOptions server_options(const HttpFlags& f) {
    http::ServerOptions options{.host = f.host,
                                .port = f.port,
                                .unix_path = f.uds,
                                .header_bytes_max = static_cast<size_t>(f.max_header_bytes),
                                .body_bytes_max = static_cast<size_t>(f.max_body_bytes)};
    if (f.tls())
        options.tls = http::TlsOptions{
            .key_file = f.ssl_keyfile,
            .certificate_file = f.ssl_certfile,
            .client_ca_file = f.ssl_ca_certs,
            .client_certificate = static_cast<http::TlsOptions::ClientCertificate>(f.ssl_cert_reqs),
            .ciphers = f.ssl_ciphers};
    return options;
}

}  // namespace fathom
