#include "server/messages_reply.h"

#include "api/messages_request.h"
#include "server/known_reply.h"

namespace fathom {
namespace {

using Kind = api::AnswerItem::Kind;

}  // namespace

ReplyOrError MessagesReply::prepare(const ServedModel& model, const std::string& body,
                                    const RequestInfo& info) {
    auto parsed = api::parse_messages_request(body, model.rules);
    if (auto* error = std::get_if<api::RequestError>(&parsed)) return std::move(*error);
    auto& request = std::get<api::ChatRequest>(parsed);
    const int64_t asked = request.max_tokens;
    auto chat = prepare_limited_chat(model, std::move(request));
    if (auto* error = std::get_if<api::RequestError>(&chat)) return std::move(*error);
    auto& prepared = std::get<PreparedChat>(chat);
    api::MessageHead head{.id = answer_id("msg_", info, prepared.request.request_id),
                          .model = model.names[0]};
    const bool limited = prepared.request.max_tokens < asked;
    return std::unique_ptr<Reply>(
        new MessagesReply(model, std::move(prepared), std::move(head), limited));
}

ReplyOrError MessagesReply::prepare_count(const ServedModel& model, const std::string& body,
                                          const RequestInfo&) {
    auto parsed = api::parse_count_tokens_request(body);
    if (auto* error = std::get_if<api::RequestError>(&parsed)) return std::move(*error);
    auto& request = std::get<api::ChatRequest>(parsed);
    if (!model.is_served(request.model)) return api::model_not_found(request.model);
    bool in_reasoning = false;
    auto prompt = chat_prompt(model, request, in_reasoning);
    if (auto* error = std::get_if<api::RequestError>(&prompt)) return std::move(*error);
    return std::make_unique<KnownReply>(
        api::count_tokens_json(std::ssize(std::get<std::vector<Token>>(prompt))));
}

MessagesReply::MessagesReply(const ServedModel& model, PreparedChat chat, api::MessageHead head,
                             bool limited_by_context)
    : ItemReply(model, std::move(chat), "toolu_"),
      head_(std::move(head)),
      limited_by_context_(limited_by_context) {}

// Not before: only now it is known how much of the prompt was in the cache.
void MessagesReply::on_first(http::Exchange& http) {
    api::Usage so_far = usage();
    so_far.completion_tokens = 0;
    so_far.reasoning_tokens.reset();
    http.send_event(api::message_start_json(head_, so_far), "message_start");
}

void MessagesReply::on_open(http::Exchange& http) {
    http.send_event(api::block_start_json(items().back(), items().size() - 1),
                    "content_block_start");
}

void MessagesReply::on_text(const std::string& text, http::Exchange& http) {
    http.send_event(api::block_delta_json(items().back(), items().size() - 1, text),
                    "content_block_delta");
}

void MessagesReply::on_close(http::Exchange& http) {
    const size_t index = items().size() - 1;
    if (items().back().kind == Kind::thought)
        http.send_event(api::signature_delta_json(index), "content_block_delta");
    http.send_event(api::block_stop_json(index), "content_block_stop");
}

api::MessageStop MessagesReply::stop() const {
    if (const auto* sequence = std::get_if<std::string>(&ending().stop_reason))
        return {.reason = "stop_sequence", .sequence = *sequence};
    if (ending().finish_reason == name_of(FinishReason::length))
        return {.reason = limited_by_context_ ? "model_context_window_exceeded" : "max_tokens"};
    return {.reason = has_calls() ? "tool_use" : "end_turn"};
}

void MessagesReply::finish(http::Exchange& http) {
    if (ending().finish_reason == name_of(FinishReason::abort))
        return fail(http, api::error_of_status(503, "the server is stopping; ask again"));
    if (!request().stream)
        return http.reply(200, "application/json",
                          api::message_json(head_, items(), stop(), usage()));
    http.send_event(api::message_delta_json(stop(), usage()), "message_delta");
    http.send_event(api::message_stop_json(), "message_stop");
    http.end_events();
}

void MessagesReply::fail(http::Exchange& http, const api::RequestError& error) {
    if (!request().stream) return refuse(http, error);
    http.send_event(api::message_error_json(error), "error");
    http.end_events();
}

}  // namespace fathom
