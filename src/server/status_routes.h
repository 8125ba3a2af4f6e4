#pragma once

#include <functional>

#include "server/metrics.h"
#include "server/router.h"
#include "server/served_model.h"

namespace fathom {

// The routes that need no text of the model, from the moment the port is taken: /health, /ping,
// /version, /load, /v1/models, /server_info, /metrics, /reset_prefix_cache. I/O thread.
class StatusRoutes {
public:
    // All must outlive it. `track_load`: --enable-server-load-tracking; else /load says 0.
    StatusRoutes(Router& router, const ServedModel& model, Metrics& metrics, bool track_load);
    StatusRoutes(const StatusRoutes&) = delete;
    StatusRoutes& operator=(const StatusRoutes&) = delete;

    // The model is there. /health says 200 while `healthy` does, and 503 before and else.
    void open(std::function<bool()> healthy, std::function<void()> reset_prefix_cache);

private:
    void health(http::Exchange& http) const;
    void models(http::Exchange& http) const;
    void server_info(http::Exchange& http) const;
    void reset_prefix_cache(http::Exchange& http) const;

    const ServedModel& model_;
    std::function<bool()> healthy_;
    std::function<void()> reset_prefix_cache_;
};

}  // namespace fathom
