#include "server/completion_handler.h"

#include <algorithm>
#include <random>

namespace fathom {
namespace {

// "cmpl-" and the client's own id, or 32 hex digits.
std::string answer_id(const http::Exchange& http, const api::CompletionRequest& request) {
    const std::string_view header = http.request().header("X-Request-Id");
    if (!header.empty()) return str("cmpl-", header);
    if (!request.request_id.empty()) return str("cmpl-", request.request_id);
    std::random_device device;
    std::string id = "cmpl-";
    for (int i = 0; i < 4; ++i) {
        char digits[9];
        std::snprintf(digits, sizeof digits, "%08x", device());
        id += digits;
    }
    return id;
}

std::vector<Token> tokenize(const ServedModel& model, const api::CompletionRequest& request,
                            const api::Prompt& prompt) {
    if (const auto* ids = std::get_if<std::vector<Token>>(&prompt)) return *ids;
    const std::string& text = std::get<std::string>(prompt);
    const Tokenizer& tokenizer = *model.tokenizer;
    std::vector<Token> tokens = tokenizer.encode(text);
    const std::optional<Token> bos = tokenizer.bos();
    if (request.add_special_tokens && tokenizer.add_bos() && bos &&
        (tokens.empty() || tokens[0] != *bos))
        tokens.insert(tokens.begin(), *bos);
    return tokens;
}

// Keeps the last tokens, as many as asked; -1: as many as a sequence may have.
void truncate(const ServedModel& model, const api::CompletionRequest& request,
              std::vector<Token>& tokens) {
    if (!request.truncate_prompt_tokens) return;
    const int64_t asked = *request.truncate_prompt_tokens;
    const int64_t keep = asked < 0 ? model.max_model_len : asked;
    if (std::ssize(tokens) > keep) tokens.erase(tokens.begin(), tokens.end() - keep);
}

// What a double says that a float cannot: the nearest that leaves logits finite.
float bounded(double value, double low, double high) {
    return static_cast<float>(std::clamp(value, low, high));
}

SamplingParams sampling_of(const ServedModel& model, const api::CompletionRequest& r, int choice,
                           uint64_t seed) {
    return {.temperature = bounded(r.temperature, 0, 1e10),
            .top_p = bounded(r.top_p, 1e-10, 1),
            .top_k = static_cast<int>(std::min<int64_t>(r.top_k, model.vocab_size)),
            .min_p = static_cast<float>(r.min_p),
            .presence_penalty = static_cast<float>(r.presence_penalty),
            .frequency_penalty = static_cast<float>(r.frequency_penalty),
            .repetition_penalty = bounded(r.repetition_penalty, 1e-10, 1e10),
            .seed = seed,
            .choice = choice};
}

}  // namespace

const std::vector<http::Header>& cors_headers() {
    static const std::vector<http::Header> headers{{"Access-Control-Allow-Origin", "*"}};
    return headers;
}

void refuse(http::Exchange& http, const api::RequestError& error) {
    http.reply(error.status, "application/json", api::to_json(error), cors_headers());
}

CompletionHandler::CompletionHandler(const ServedModel& model, http::Server& server,
                                     http::WorkerPool& workers, Engine& engine)
    : model_(model), server_(server), workers_(workers), engine_(engine) {}

void CompletionHandler::on_request(http::Exchange& http) {
    if (!api::is_json_media_type(http.request().header("Content-Type")))
        return refuse(http, api::unsupported_media_type());
    const uint64_t id = http.id();
    const bool taken =
        workers_.run([&model = model_, body = http.take_body()] { return prepare(model, body); },
                     [this, id](PreparedOrError prepared) { start(id, std::move(prepared)); });
    if (!taken)
        refuse(http, api::error_of({Code::overloaded,
                                    "too many requests wait to be read; try again "
                                    "later"}));
}

CompletionHandler::PreparedOrError CompletionHandler::prepare(const ServedModel& model,
                                                              const std::string& body) {
    auto parsed = api::parse_completion_request(body, model.defaults);
    if (auto* error = std::get_if<api::RequestError>(&parsed)) return std::move(*error);
    Prepared prepared{.request = std::get<api::CompletionRequest>(std::move(parsed)),
                      .prompts = {}};
    if (!model.is_served(prepared.request.model))
        return api::model_not_found(prepared.request.model);
    for (const api::Prompt& prompt : prepared.request.prompts) {
        std::vector<Token> tokens = tokenize(model, prepared.request, prompt);
        truncate(model, prepared.request, tokens);
        if (auto error = api::check_vocabulary(tokens, model.vocab_size)) return std::move(*error);
        if (auto error = api::check_length(std::ssize(tokens), prepared.request.max_tokens,
                                           model.max_model_len))
            return std::move(*error);
        prepared.prompts.push_back(std::move(tokens));
    }
    prepared.request.prompts.clear();  // Only their tokens are needed from here on.
    // What no step can draw stops nothing, and the mask of min_tokens has no place for it.
    std::erase_if(prepared.request.stop_token_ids,
                  [&](Token id) { return id < 0 || id >= model.vocab_size; });
    return prepared;
}

void CompletionHandler::start(uint64_t exchange, PreparedOrError prepared) {
    http::Exchange* http = server_.find(exchange);
    if (http == nullptr) return;  // The client left while its body was read.
    if (const auto* error = std::get_if<api::RequestError>(&prepared)) return refuse(*http, *error);

    auto& [request, prompts] = std::get<Prepared>(prepared);
    std::string id = answer_id(*http, request);
    CompletionReply& reply =
        replies_
            .try_emplace(exchange, model_, std::move(request), std::move(prompts), std::move(id))
            .first->second;
    if (Status status = submit(reply, exchange); !status.ok()) {
        cancel(reply);
        replies_.erase(exchange);
        return refuse(*http, api::error_of(status.error()));
    }
    if (reply.request.stream) http->begin_events(cors_headers());
}

Status CompletionHandler::submit(CompletionReply& reply, uint64_t exchange) {
    const api::CompletionRequest& r = reply.request;
    const uint64_t seed =
        r.seed && *r.seed != -1 ? static_cast<uint64_t>(*r.seed) : engine_.draw_seed();
    for (int64_t i = 0; i < reply.num_choices(); ++i) {
        const uint64_t id = next_id_++;
        choices_.emplace(id, Choice{exchange, i});
        reply.engine_ids.push_back(id);
        Status status =
            engine_.submit({.id = id,
                            .prompt = reply.prompt_of(i),
                            .sampling = sampling_of(model_, r, static_cast<int>(i % r.n), seed),
                            .max_tokens = static_cast<int>(r.max_tokens),
                            .min_tokens = static_cast<int>(r.min_tokens),
                            .ignore_eos = r.ignore_eos,
                            .stop_token_ids = r.stop_token_ids,
                            .priority = static_cast<int>(r.priority)});
        if (!status.ok()) return status;
    }
    return Unit{};
}

void CompletionHandler::on_events(const std::vector<TokenEvent>& events) {
    for (const TokenEvent& event : events) on_event(event);
}

void CompletionHandler::on_event(const TokenEvent& event) {
    const auto found = choices_.find(event.id);
    if (found == choices_.end()) return;  // It ended here already; the engine hears of it later.
    const auto [exchange, index] = found->second;
    CompletionReply& reply = replies_.at(exchange);
    ChoiceText& choice = reply.choices[index];
    const api::CompletionChoice piece = choice.take(event);
    if (choice.finished()) {
        choices_.erase(found);
        --reply.unfinished;
        if (event.finish == FinishReason::none) engine_.cancel(event.id);
    }
    http::Exchange* http = server_.find(exchange);
    if (http == nullptr) return;  // The client left a moment ago: on_disconnect comes.
    show(*http, reply, piece);
    if (reply.unfinished > 0) return;
    finish(*http, reply);
    replies_.erase(exchange);
}

void CompletionHandler::show(http::Exchange& http, CompletionReply& reply,
                             const api::CompletionChoice& piece) {
    if (!reply.request.stream) return reply.collect(piece);
    api::CompletionChoice chunk = piece;
    if (reply.request.return_token_ids && !reply.begun[piece.index])
        chunk.prompt_token_ids = reply.prompt_of(piece.index);
    reply.begun[piece.index] = true;
    std::optional<api::Usage> usage;
    if (reply.request.continuous_usage_stats) usage = reply.usage_of(piece.index);
    http.send_event(api::completion_chunk_json(reply.head, chunk, usage));
}

void CompletionHandler::finish(http::Exchange& http, CompletionReply& reply) {
    if (!reply.request.stream)
        return http.reply(200, "application/json",
                          api::completion_json(reply.head, reply.whole, reply.usage()),
                          cors_headers());
    if (reply.request.include_usage)
        http.send_event(api::completion_usage_json(reply.head, reply.usage()));
    http.send_event("[DONE]");
    http.end_events();
}

void CompletionHandler::cancel(CompletionReply& reply) {
    for (const uint64_t id : reply.engine_ids)
        if (choices_.erase(id) > 0) engine_.cancel(id);
}

void CompletionHandler::on_disconnect(uint64_t exchange) {
    const auto found = replies_.find(exchange);
    if (found == replies_.end()) return;
    cancel(found->second);
    replies_.erase(found);
}

}  // namespace fathom
