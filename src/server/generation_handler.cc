#include "server/generation_handler.h"

namespace fathom {

GenerationHandler::GenerationHandler(const ServedModel& model, http::Server& server,
                                     http::WorkerPool& workers, Engine& engine)
    : model_(model), server_(server), workers_(workers), engine_(engine) {}

void GenerationHandler::on_request(http::Exchange& http, Prepare prepare) {
    if (!api::is_json_media_type(http.request().header("Content-Type")))
        return refuse(http, api::unsupported_media_type());
    const uint64_t id = http.id();
    RequestInfo info{.id = std::string(http.request().header("X-Request-Id"))};
    const bool taken =
        workers_.run([&model = model_, prepare, info = std::move(info),
                      body = http.take_body()] { return prepare(model, body, info); },
                     [this, id](ReplyOrError prepared) { start(id, std::move(prepared)); });
    if (!taken)
        refuse(http, api::error_of(
                         {Code::overloaded, "too many requests wait to be read; try again later"}));
}

void GenerationHandler::start(uint64_t exchange, ReplyOrError prepared) {
    http::Exchange* http = server_.find(exchange);
    if (http == nullptr) return;  // The client left while its body was read.
    if (const auto* error = std::get_if<api::RequestError>(&prepared)) return refuse(*http, *error);

    Open& open = replies_[exchange];
    open.reply = std::get<std::unique_ptr<Reply>>(std::move(prepared));
    if (Status status = submit(open, exchange); !status.ok()) {
        cancel(open);
        replies_.erase(exchange);
        return refuse(*http, api::error_of(status.error()));
    }
    open.reply->begin(*http);
}

Status GenerationHandler::submit(Open& open, uint64_t exchange) {
    const std::optional<uint64_t> asked = open.reply->seed();
    const uint64_t seed = asked ? *asked : engine_.draw_seed();
    std::vector<Request> requests = open.reply->take_requests();
    open.unfinished = std::ssize(requests);
    for (int64_t i = 0; i < open.unfinished; ++i) {
        requests[i].id = next_id_++;
        requests[i].sampling.seed = seed;
        choices_.emplace(requests[i].id, Choice{exchange, i});
        open.engine_ids.push_back(requests[i].id);
        if (Status status = engine_.submit(std::move(requests[i])); !status.ok()) return status;
    }
    return Unit{};
}

void GenerationHandler::on_events(std::vector<TokenEvent> events) {
    for (TokenEvent& event : events) on_event(std::move(event));
}

void GenerationHandler::on_event(TokenEvent event) {
    const auto found = choices_.find(event.id);
    if (found == choices_.end()) return;  // It ended here already; the engine hears of it later.
    const auto [exchange, index] = found->second;
    Open& open = replies_.at(exchange);
    http::Exchange* http = server_.find(exchange);
    if (http == nullptr) return;  // The client left a moment ago: on_disconnect comes.
    if (event.finish == FinishReason::error) {
        open.reply->fail(*http, api::error_of_status(500, "the engine failed; see its log"));
        cancel(open);
        replies_.erase(exchange);
        return;
    }
    const uint64_t id = event.id;
    const bool engine_ended = event.finish != FinishReason::none;
    if (!open.reply->take(index, std::move(event), *http)) return;
    choices_.erase(id);
    if (!engine_ended) engine_.cancel(id);
    if (--open.unfinished > 0) return;
    open.reply->finish(*http);
    replies_.erase(exchange);
}

void GenerationHandler::cancel(Open& open) {
    for (const uint64_t id : open.engine_ids)
        if (choices_.erase(id) > 0) engine_.cancel(id);
}

void GenerationHandler::on_disconnect(uint64_t exchange) {
    const auto found = replies_.find(exchange);
    if (found == replies_.end()) return;
    cancel(found->second);
    replies_.erase(found);
}

}  // namespace fathom
