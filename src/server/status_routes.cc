#include "server/status_routes.h"

#include "api/error.h"
#include "api/json_text.h"
#include "api/models.h"
#include "base/version.h"

namespace fathom {
namespace {

void reply_json(http::Exchange& http, std::string_view body) {
    http.reply(200, "application/json", body);
}

}  // namespace

StatusRoutes::StatusRoutes(Router& router, const ServedModel& model, Metrics& metrics,
                           bool track_load)
    : model_(model) {
    const auto health = [this](http::Exchange& http) { this->health(http); };
    router.add({"GET", "/health", health});
    router.add({"GET", "/ping", health});
    router.add({"POST", "/ping", health});
    router.add({"GET", "/version", [](http::Exchange& http) {
                    reply_json(http, str(R"({"version":")", kVersion, R"("})"));
                }});
    router.add({"GET", "/load", [&router, track_load](http::Exchange& http) {
                    const int64_t load = track_load ? router.load() : 0;
                    reply_json(http, str(R"({"server_load":)", load, "}"));
                }});
    router.add({"GET", "/v1/models", [this](http::Exchange& http) { models(http); }});
    router.add({"GET", "/server_info", [this](http::Exchange& http) { server_info(http); }});
    for (const char* path : {"/metrics", "/metrics/"})
        router.add({"GET", path, [&metrics](http::Exchange& http) {
                        http.reply(200, Metrics::kContentType, metrics.text());
                    }});
    router.add({"POST", "/reset_prefix_cache",
                [this](http::Exchange& http) { reset_prefix_cache(http); }});
}

void StatusRoutes::open(std::function<bool()> healthy, std::function<void()> reset_prefix_cache) {
    healthy_ = std::move(healthy);
    reset_prefix_cache_ = std::move(reset_prefix_cache);
}

void StatusRoutes::health(http::Exchange& http) const {
    http.reply(healthy_ && healthy_() ? 200 : 503, "", "");
}

void StatusRoutes::models(http::Exchange& http) const {
    reply_json(http, api::to_json(api::ModelList{.names = model_.names,
                                                 .created = model_.created,
                                                 .root = model_.path,
                                                 .max_model_len = model_.max_model_len}));
}

void StatusRoutes::server_info(http::Exchange& http) const {
    reply_json(http, str(R"({"server":"fathom","version":")", kVersion, R"(","model":)",
                         api::quoted(model_.names[0]), R"(,"root":)", api::quoted(model_.path),
                         R"(,"max_model_len":)", model_.max_model_len, R"(,"vocab_size":)",
                         model_.vocab_size, "}"));
}

void StatusRoutes::reset_prefix_cache(http::Exchange& http) const {
    if (!reset_prefix_cache_) {
        const auto error = api::error_of({Code::unavailable, "the model is being loaded"});
        return http.reply(error.status, "application/json", api::to_json(error));
    }
    reset_prefix_cache_();
    http.reply(200, "", "");
}

}  // namespace fathom
