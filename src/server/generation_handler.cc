#include "server/generation_handler.h"

#include <algorithm>

#include "base/log.h"

namespace fathom {

GenerationHandler::GenerationHandler(const ServedModel& model, http::Server& server,
                                     http::WorkerPool& workers, Engine& engine, Metrics& metrics)
    : model_(model), server_(server), workers_(workers), engine_(engine), metrics_(metrics) {}

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
    if (Status status = submit(open, exchange, http->request().arrived); !status.ok()) {
        cancel(open, FinishReason::abort);
        replies_.erase(exchange);
        return refuse(*http, api::error_of(status.error()));
    }
    open.reply->begin(*http);
    if (open.unfinished > 0) return;
    open.reply->finish(*http);  // It needed no engine.
    replies_.erase(exchange);
}

Status GenerationHandler::submit(Open& open, uint64_t exchange, Clock::time_point arrived) {
    std::vector<Request> requests = open.reply->take_requests();
    if (requests.empty()) return Unit{};
    const std::optional<uint64_t> asked = open.reply->seed();
    const uint64_t seed = asked ? *asked : engine_.draw_seed();
    const Timeline timeline{.arrived = arrived, .queued = Clock::now()};
    const int max_tokens = requests[0].max_tokens;
    open.unfinished = std::ssize(requests);
    for (int64_t i = 0; i < open.unfinished; ++i) {
        Request& request = requests[i];
        request.id = next_id_++;
        request.sampling.seed = seed;
        open.engine_ids.push_back(request.id);
        choices_.emplace(request.id, Choice{.exchange = exchange,
                                            .index = i,
                                            .counts = {.prompt_tokens = std::ssize(request.prompt),
                                                       .max_tokens = request.max_tokens},
                                            .timeline = timeline});
        if (Status status = engine_.submit(std::move(request)); !status.ok()) return status;
    }
    metrics_.on_request(open.unfinished, max_tokens, timeline);
    if (model_.log_requests)
        log::info("request ", open.engine_ids.front(), ": ", open.unfinished, " choices of ",
                  choices_.at(open.engine_ids.front()).counts.prompt_tokens,
                  " prompt tokens, each at most ", max_tokens, " more");
    return Unit{};
}

void GenerationHandler::on_events(std::vector<TokenEvent> events) {
    for (TokenEvent& event : events) on_event(std::move(event));
}

void GenerationHandler::on_event(TokenEvent event) {
    const auto found = choices_.find(event.id);
    if (found == choices_.end()) return;  // It ended here already; the engine hears of it later.
    Choice& choice = found->second;
    const uint64_t exchange = choice.exchange;
    Open& open = replies_.at(exchange);
    http::Exchange* http = server_.find(exchange);
    if (http == nullptr) return;  // The client left a moment ago: on_disconnect comes.
    count(choice, event);
    const FinishReason finish = event.finish;
    if (finish == FinishReason::error) {
        open.reply->fail(*http, api::error_of_status(500, "the engine failed; see its log"));
        cancel(open, finish);
        replies_.erase(exchange);
        return;
    }
    const uint64_t id = event.id;
    if (!open.reply->take(choice.index, std::move(event), *http)) return;
    if (finish == FinishReason::none) engine_.cancel(id);  // A stop string ended it.
    end_choice(id, open, finish == FinishReason::none ? FinishReason::stop : finish);
    if (open.unfinished > 0) return;
    metrics_.on_request_end(open.most_generated);
    open.reply->finish(*http);
    replies_.erase(exchange);
}

void GenerationHandler::count(Choice& choice, const TokenEvent& event) {
    if (event.tokens.empty()) return;
    Timeline& timeline = choice.timeline;
    const Clock::time_point now = Clock::now();
    if (choice.counts.generated_tokens == 0) {
        timeline.scheduled = event.scheduled;
        timeline.first_token = now;
        choice.counts.cached_tokens = event.cached_tokens;
        metrics_.on_first_token(timeline);
    } else {
        metrics_.on_next_tokens(std::chrono::duration<double>(now - timeline.last_token).count());
    }
    timeline.last_token = now;
    choice.counts.generated_tokens += std::ssize(event.tokens);
}

void GenerationHandler::end_choice(uint64_t id, Open& open, FinishReason reason) {
    const auto found = choices_.find(id);
    const Choice& choice = found->second;
    metrics_.on_finish(reason, choice.counts, choice.timeline);
    trace_choice(id, choice.timeline);
    open.most_generated = std::max(open.most_generated, choice.counts.generated_tokens);
    --open.unfinished;
    choices_.erase(found);
}

void GenerationHandler::cancel(Open& open, FinishReason reason) {
    for (const uint64_t id : open.engine_ids) {
        if (!choices_.contains(id)) continue;
        engine_.cancel(id);
        end_choice(id, open, reason);
    }
}

void GenerationHandler::on_disconnect(uint64_t exchange) {
    const auto found = replies_.find(exchange);
    if (found == replies_.end()) return;
    cancel(found->second, FinishReason::abort);
    replies_.erase(found);
}

}  // namespace fathom
