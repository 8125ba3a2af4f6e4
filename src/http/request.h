#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace fathom::http {

struct Header {
    std::string name, value;
};

// The value of the first header of that name (in any case), empty when there is none.
std::string_view find_header(const std::vector<Header>& headers, std::string_view name);

// One request as it was read: checked for form, not for sense.
struct Request {
    std::string method;  // As sent: "GET", "POST", ...
    std::string path;    // "/v1/models"; not percent-decoded
    std::string query;   // What follows '?', without it.
    int version = 11;    // 10 or 11
    bool keep_alive = true;
    std::vector<Header> headers;  // Those before the body; trailers are dropped.
    std::string body;
    Clock::time_point arrived;  // When its last byte was read.

    std::string_view header(std::string_view name) const { return find_header(headers, name); }
};

}  // namespace fathom::http
