#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "http/request.h"

namespace fathom::http {

// Cuts the bytes of one connection into requests. Untrusted input: every byte sequence leads to
// requests, to "more is needed" or to a refusal, whatever pieces it arrives in. Knows no sockets.
class RequestReader {
public:
    enum class State { need_more, complete, refused };

    // header_bytes_max counts the request line, too; body_bytes_max counts without chunk framing.
    RequestReader(size_t header_bytes_max, size_t body_bytes_max);
    ~RequestReader();

    void append(std::string_view bytes);

    // Reads on in what was appended. complete: take() is next. refused: for good, see status().
    State parse();

    // What is known of the request under way: its head once that is read, else empty.
    const Request& head() const;
    Request take();  // REQUIRES parse() == complete; the next parse() begins the next request.

    // True once per request whose client waits for "100 Continue" before it sends the body.
    bool wants_continue();

    bool started() const;     // A part of a request is there.
    size_t buffered() const;  // Bytes that were appended and not yet read into a request.

    int status() const;  // REQUIRES refused: 400, 413, 417, 431, 501, 505
    const std::string& message() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::http
