#pragma once

#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "server/http_flags.h"

namespace fathom {

// Which pages of other origins may call the server from a browser, and what their browser is told
// (the CORS protocol of the Fetch standard). "*" stands for any.
class Cors {
public:
    // `flags` must outlive it.
    explicit Cors(const HttpFlags& flags);

    // What an answer to this request says about its origin.
    void add_headers(const http::Request& request, std::vector<http::Header>& headers) const;
    // Whether the browser asks beforehand (OPTIONS with Access-Control-Request-Method).
    static bool is_preflight(const http::Request& request);
    // The answer to that: 200, or 400 with what is not allowed.
    void answer_preflight(http::Exchange& http) const;

private:
    bool allows_origin(std::string_view origin) const;
    bool allows_headers(std::string_view asked) const;

    const HttpFlags& flags_;
    const bool any_origin_, any_method_, any_header_;
};

}  // namespace fathom
