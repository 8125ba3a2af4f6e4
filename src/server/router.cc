#include "server/router.h"

#include <algorithm>
#include <cstdio>

#include "api/error.h"
#include "base/log.h"
#include "server/reply.h"

namespace fathom {
namespace {

// What is answered 503 while the model loads.
constexpr const char* kModelPaths[] = {
    "/v1/completions",           "/v1/chat/completions", "/v1/responses", "/v1/messages",
    "/v1/messages/count_tokens", "/invocations",         "/tokenize",     "/detokenize"};

bool takes(const Route& route, std::string_view method) {
    const std::string_view own = route.method;
    return own == method || (own == "GET" && method == "HEAD");
}

std::string access_line(const http::Answered& a) {
    char numbers[64];
    std::snprintf(numbers, sizeof numbers, "%.1f ms %lld bytes", a.seconds * 1e3,
                  static_cast<long long>(a.bytes));
    const std::string status = a.status == 0 ? "-" : str(a.status);
    return str(a.peer, " \"", a.method, " ", a.path, "\" ", status, " ", numbers,
               a.complete ? "" : ", the client left");
}

}  // namespace

Router::Router(const HttpFlags& flags) : flags_(flags), keys_(flags.api_keys), cors_(flags) {
    for (const char* path : kModelPaths) model_routes_.push_back({"POST", path, {}});
}

void Router::add(Route route) { routes_.push_back(std::move(route)); }

void Router::open(std::vector<Route> model_routes, std::function<void(uint64_t)> on_disconnect) {
    model_routes_ = std::move(model_routes);
    on_disconnect_ = std::move(on_disconnect);
}

void Router::add_headers(const http::Request& request, std::vector<http::Header>& headers) const {
    cors_.add_headers(request, headers);
    if (!flags_.enable_request_id_headers) return;
    const std::string_view id = request.header("X-Request-Id");
    headers.push_back({"X-Request-Id", id.empty() ? random_hex(32) : std::string(id)});
}

bool Router::knows(std::string_view path) const {
    const auto has_path = [&](const Route& route) { return route.path == path; };
    return std::ranges::any_of(routes_, has_path) || std::ranges::any_of(model_routes_, has_path);
}

// A proxy may strip the root path or leave it.
std::string_view Router::route_path(std::string_view path) const {
    const std::string& root = flags_.root_path;
    const bool below = path.starts_with(root) && path.substr(root.size()).starts_with('/');
    return below ? path.substr(root.size()) : path;
}

void Router::on_request(http::Exchange& http) {
    const http::Request& request = http.request();
    if (Cors::is_preflight(request)) return cors_.answer_preflight(http);
    const std::string path(route_path(request.path));
    if (!keys_.admits(request.method, path, request.header("Authorization")))
        return http.reply(401, "application/json", R"({"error":"Unauthorized"})",
                          {{"WWW-Authenticate", "Bearer"}});
    const std::string_view encoding = request.header("Content-Encoding");
    if (!encoding.empty() && encoding != "identity")
        return refuse(http,
                      api::error_of_status(415, str("Content-Encoding ", encoding,
                                                    " is not read here; send the body as it is")));
    answer(http, path);
}

void Router::answer(http::Exchange& http, std::string_view path) {
    const std::string& method = http.request().method;
    std::string allowed;
    for (const auto* routes : {&routes_, &model_routes_})
        for (const Route& route : *routes) {
            if (route.path != path) continue;
            if (takes(route, method)) {
                if (!route.answer)
                    return refuse(http,
                                  api::error_of({Code::unavailable, "the model is being loaded"}));
                if (routes == &model_routes_) under_way_.insert(http.id());
                return route.answer(http);
            }
            allowed += str(allowed.empty() ? "" : ", ", route.method,
                           route.method == std::string_view("GET") ? ", HEAD" : "");
        }
    if (allowed.empty()) return http.reply(404, "application/json", api::not_found_json());
    if (method == "OPTIONS") return http.reply(200, "", "", {{"Allow", allowed + ", OPTIONS"}});
    http.reply(405, "application/json", api::method_not_allowed_json(), {{"Allow", allowed}});
}

void Router::on_disconnect(uint64_t id) {
    if (on_disconnect_) on_disconnect_(id);
}

void Router::on_answered(const http::Answered& answered) {
    under_way_.erase(answered.id);
    if (flags_.access_log) log::info(access_line(answered));
    if (!on_answered_) return;
    const std::string path(route_path(answered.path));
    on_answered_(answered, knows(path) ? path : "none");
}

}  // namespace fathom
