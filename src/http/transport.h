#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

namespace fathom::http {

enum class IoResult { ok, eof, failed };

// A connected stream of bytes, behind an interface so that what speaks HTTP is compiled once for
// sockets, TLS, and the memory of a fuzzer. Completions come from the loop, never from inside the
// call; at most one read, one write and one watch at a time. I/O thread only.
class Transport {
public:
    using Done = std::function<void(IoResult, size_t bytes)>;

    virtual ~Transport() = default;
    // At least one byte, unless the peer ended its side (eof) or is gone (failed).
    virtual void read(std::span<char> into, Done done) = 0;
    // At least one byte of `bytes`, which must stay until then.
    virtual void write(std::string_view bytes, Done done) = 0;
    // Completes when the connection is reset; also after the end of the peer's side.
    virtual void watch(Done done) = 0;
    // Says that nothing more is sent. REQUIRES no write under way; counts as one until it is done.
    virtual void shutdown_send(Done done) = 0;
    virtual void close() = 0;  // What is under way completes as failed.
};

}  // namespace fathom::http
