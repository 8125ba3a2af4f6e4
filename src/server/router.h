#pragma once

#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "http/server.h"
#include "server/api_keys.h"
#include "server/cors.h"

namespace fathom {

// One path that is answered.
struct Route {
    const char* method;  // "GET" answers HEAD, too.
    std::string path;
    std::function<void(http::Exchange&)> answer;
};

// Which request goes where, and who may come at all: keys, CORS, --root-path, and the line in the
// log. Serves from the moment the port is taken; routes that need the model answer 503 until
// open(). I/O thread, but for what is called before the server runs.
class Router : public http::Handler {
public:
    using OnAnswered = std::function<void(const http::Answered&, const std::string& route)>;

    // `flags` must outlive it.
    explicit Router(const HttpFlags& flags);

    // Paths are as the client writes them, without --root-path. A path may have several methods.
    void add(Route route);
    // The model is there: its routes answer from now on, and hear of clients that left.
    void open(std::vector<Route> model_routes, std::function<void(uint64_t)> on_disconnect);
    // Told of every request that is over; `route` is the path of its route, or "none".
    void set_on_answered(OnAnswered on_answered) { on_answered_ = std::move(on_answered); }

    // What every answer carries: for ServerOptions::answer_headers. CORS and, with
    // --enable-request-id-headers, X-Request-Id.
    void add_headers(const http::Request& request, std::vector<http::Header>& headers) const;

    // Requests to the model's routes that are under way.
    int64_t load() const { return std::ssize(under_way_); }

    void on_request(http::Exchange& http) override;
    void on_disconnect(uint64_t id) override;
    void on_answered(const http::Answered& answered) override;

private:
    std::string_view route_path(std::string_view path) const;
    void answer(http::Exchange& http, std::string_view path);
    bool knows(std::string_view path) const;

    const HttpFlags& flags_;
    const ApiKeys keys_;
    const Cors cors_;
    std::vector<Route> routes_, model_routes_;  // Without an answer until open().
    std::function<void(uint64_t)> on_disconnect_;
    OnAnswered on_answered_;
    std::unordered_set<uint64_t> under_way_;
};

}  // namespace fathom
