#pragma once

#include <atomic>
#include <functional>

#include "http/exchange.h"
#include "server/generation_handler.h"

namespace fathom {

// Which request goes where. Serves from the moment the port is taken: while the model loads,
// /health says 503 and so does everything that needs the model. I/O thread.
class Router : public http::Handler {
public:
    Router(const ServedModel& model, bool access_log);

    // From now on what generates is served.
    void open(GenerationHandler& generation) { generation_ = &generation; }

    void on_request(http::Exchange& exchange) override;
    void on_disconnect(uint64_t id) override;

private:
    struct Route {
        const char* method;  // nullptr: GET and POST.
        const char* path;
        void (Router::*answer)(http::Exchange&);  // One of these two.
        GenerationHandler::Prepare prepare = nullptr;
    };
    static const Route kRoutes[];

    void health(http::Exchange& http);
    void version(http::Exchange& http);
    void models(http::Exchange& http);
    void generate(http::Exchange& http, GenerationHandler::Prepare prepare);

    const ServedModel& model_;
    const bool access_log_;
    GenerationHandler* generation_ = nullptr;
};

}  // namespace fathom
