#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/request.h"

namespace fathom::http {

struct Response {
    int status = 0;
    std::vector<Header> headers;
    std::string body;

    std::string_view header(std::string_view name) const { return find_header(headers, name); }
};

// One connection to a server, used by one thread that waits for it: for tests, `bench` and the
// proxy's probes. Errors: unavailable (refused, reset, time is up), corrupt (not HTTP).
class Client {
public:
    // timeout holds for connecting and then for every wait for the server's next bytes.
    static Result<Client> connect(const std::string& host, int port,
                                  std::chrono::milliseconds timeout = std::chrono::seconds(30));
    // The same over the Unix socket at `path`.
    static Result<Client> connect_unix(
        const std::string& path, std::chrono::milliseconds timeout = std::chrono::seconds(30));
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    // A whole exchange. Content-Length and Host are added; a body without Content-Type among
    // `headers` is application/json.
    Result<Response> request(std::string_view method, std::string_view target,
                             std::string_view body = {}, const std::vector<Header>& headers = {});

    // The same in steps. Several send() before the first receive() pipeline.
    Status send(std::string_view method, std::string_view target, std::string_view body = {},
                const std::vector<Header>& headers = {});
    Status send_raw(std::string_view bytes);
    Result<Response> receive();
    // The answer to a HEAD request: its header alone.
    Result<Response> receive_head_only();
    // Status and headers; then next_event() until nothing comes, which is the end of the answer. An
    // event is its data, without "data: " and its name.
    Result<Response> receive_head();
    Result<std::optional<std::string>> next_event();

    void shutdown_send();  // Half-closes: sends nothing more, still reads.
    void reset();          // Vanishes: the server sees a reset.
    // True when the server has sent something that is not received; waits up to the timeout.
    bool readable();
    // True when the server has closed; waits for it up to the timeout. What it sends is dropped.
    bool closed_by_server();

private:
    struct Impl;
    explicit Client(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::http
