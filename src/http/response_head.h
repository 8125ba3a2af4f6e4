#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"

namespace fathom::http {

// The status line and the headers of an answer, with the empty line that ends them.
struct ResponseHead {
    int status = 200;
    int version = 11;  // Of the request.
    bool keep_alive = true;
    bool chunked = false;
    long long content_length = -1;  // -1: not stated.
    std::string_view content_type;  // Empty: not stated.
};

// Control characters in the values of `extra` become blanks: a value cannot end its header.
std::string format(const ResponseHead& head, const std::vector<Header>& extra);

// "event: ...\n" where it has a name, "data: ...\n\n"; a line break in `data` starts another data
// line. `chunked`: as one chunk of a chunked body.
std::string event(std::string_view name, std::string_view data, bool chunked);

}  // namespace fathom::http
