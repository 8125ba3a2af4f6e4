#include "server/router.h"

#include "api/models.h"
#include "base/log.h"
#include "base/version.h"
#include "server/chat_reply.h"
#include "server/completion_reply.h"
#include "server/tokenize.h"

namespace fathom {
namespace {

void reply_json(http::Exchange& http, int status, std::string_view body) {
    http.reply(status, "application/json", body, cors_headers());
}

// What a browser asks before a page of another origin may post.
void allow(http::Exchange& http) {
    std::vector<http::Header> headers = cors_headers();
    headers.push_back({"Access-Control-Allow-Methods", "GET, POST, OPTIONS"});
    headers.push_back({"Access-Control-Allow-Headers", "*"});
    http.reply(200, "", "", headers);
}

bool same_method(const char* want, const std::string& got) {
    if (want == nullptr) return got == "GET" || got == "POST" || got == "HEAD";
    return got == want || (got == "HEAD" && std::string_view(want) == "GET");
}

}  // namespace

const Router::Route Router::kRoutes[] = {
    {"GET", "/health", &Router::health},
    {nullptr, "/ping", &Router::health},
    {"GET", "/version", &Router::version},
    {"GET", "/v1/models", &Router::models},
    {"POST", "/v1/completions", nullptr, CompletionReply::prepare},
    {"POST", "/v1/chat/completions", nullptr, ChatReply::prepare},
    {"POST", "/tokenize", nullptr, prepare_tokenize},
    {"POST", "/detokenize", nullptr, prepare_detokenize}};

Router::Router(const ServedModel& model, bool access_log)
    : model_(model), access_log_(access_log) {}

void Router::on_request(http::Exchange& http) {
    const std::string& method = http.request().method;
    const std::string& path = http.request().path;
    if (access_log_) log::info(method, " ", path);
    if (method == "OPTIONS") return allow(http);
    const char* allowed = nullptr;
    for (const Route& route : kRoutes) {
        if (path != route.path) continue;
        if (same_method(route.method, method))
            return route.prepare != nullptr ? generate(http, route.prepare)
                                            : (this->*route.answer)(http);
        allowed = route.method == nullptr ? "GET, POST" : route.method;
    }
    if (allowed == nullptr) return reply_json(http, 404, api::not_found_json());
    std::vector<http::Header> headers = cors_headers();
    headers.push_back({"Allow", allowed});
    http.reply(405, "application/json", api::method_not_allowed_json(), headers);
}

void Router::on_disconnect(uint64_t id) {
    if (generation_ != nullptr) generation_->on_disconnect(id);
}

void Router::health(http::Exchange& http) {
    http.reply(generation_ != nullptr ? 200 : 503, "", "", cors_headers());
}

void Router::version(http::Exchange& http) {
    reply_json(http, 200, str(R"({"version":")", kVersion, R"("})"));
}

void Router::models(http::Exchange& http) {
    reply_json(http, 200,
               api::to_json(api::ModelList{.names = model_.names,
                                           .created = model_.created,
                                           .root = model_.path,
                                           .max_model_len = model_.max_model_len}));
}

void Router::generate(http::Exchange& http, GenerationHandler::Prepare prepare) {
    if (generation_ == nullptr)
        return refuse(http, api::error_of({Code::unavailable, "the model is being loaded"}));
    generation_->on_request(http, prepare);
}

}  // namespace fathom
