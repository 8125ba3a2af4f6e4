#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/server.h"
#include "server/flag_list.h"

namespace fathom {

// The flags of `fathom serve` about connections: who may come, by which way, and what is logged of
// it. Names, meanings and defaults are vLLM's (and uvicorn's) where they have the flag.
struct HttpFlags {
    std::string host = "127.0.0.1";
    int port = 8000;
    std::string uds;  // Empty: TCP.

    std::string ssl_keyfile, ssl_certfile, ssl_ca_certs, ssl_ciphers;
    int ssl_cert_reqs = 0;  // 0 none, 1 optional, 2 required, as Python's ssl has them

    std::vector<std::string> api_keys;  // Never printed. Empty: everybody may come.

    // CORS. "*" is any.
    std::vector<std::string> allowed_origins{"*"}, allowed_methods{"*"}, allowed_headers{"*"};
    bool allow_credentials = false;

    std::string root_path;  // "/llm": what a proxy puts before every path. Empty or "/...", no end.
    bool enable_request_id_headers = false;
    int64_t max_body_bytes = 64 << 20;
    int64_t max_header_bytes = 64 << 10;
    bool access_log = true;

    bool tls() const { return !ssl_keyfile.empty() || !ssl_certfile.empty(); }
};

void add_http_flags(FlagList& list, HttpFlags& flags);

// After parsing: keys from VLLM_API_KEY where no flag named one, the form of the root path, and
// flags that contradict each other. Errors: invalid_argument, one sentence.
Status settle_http_flags(HttpFlags& flags);

// Where to listen, limits and TLS, as the flags say.
http::ServerOptions server_options(const HttpFlags& flags);

}  // namespace fathom
