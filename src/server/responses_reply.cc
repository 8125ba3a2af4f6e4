#include "server/responses_reply.h"

#include <ctime>

#include "api/responses_request.h"
#include "base/check.h"

namespace fathom {
namespace {

using Kind = api::AnswerItem::Kind;
using Outcome = api::ResponseState::Status;

struct EventNames {
    const char* delta;
    const char* done;
};

EventNames names_of(Kind kind) {
    switch (kind) {
        case Kind::thought:
            return {"response.reasoning_text.delta", "response.reasoning_text.done"};
        case Kind::text: return {"response.output_text.delta", "response.output_text.done"};
        case Kind::call:
            return {"response.function_call_arguments.delta",
                    "response.function_call_arguments.done"};
    }
    CHECK(false, "item of kind ", static_cast<int>(kind));
}

}  // namespace

ReplyOrError ResponsesReply::prepare(const ServedModel& model, const std::string& body,
                                     const RequestInfo& info) {
    auto parsed = api::parse_responses_request(body, model.rules);
    if (auto* error = std::get_if<api::RequestError>(&parsed)) return std::move(*error);
    auto& request = std::get<api::ResponsesRequest>(parsed);
    auto chat = prepare_limited_chat(model, std::move(request.chat));
    if (auto* error = std::get_if<api::RequestError>(&chat)) {
        if (error->param == "messages") error->param = "input";
        return std::move(*error);
    }
    auto& prepared = std::get<PreparedChat>(chat);
    api::ResponseHead head{.id = answer_id("resp_", info, prepared.request.request_id),
                           .created_at = std::time(nullptr),
                           .model = model.names[0],
                           .echo = std::move(request.echo)};
    return std::unique_ptr<Reply>(new ResponsesReply(model, std::move(prepared), std::move(head)));
}

ResponsesReply::ResponsesReply(const ServedModel& model, PreparedChat chat, api::ResponseHead head)
    : ItemReply(model, std::move(chat), "call_"), head_(std::move(head)) {}

void ResponsesReply::send(const char* name, const std::string& members, http::Exchange& http) {
    http.send_event(api::response_event_json(name, sequence_++, members), name);
}

void ResponsesReply::send_state(const char* name, const api::ResponseState& state,
                                http::Exchange& http) {
    send(name, api::response_member(head_, state, items()), http);
}

void ResponsesReply::begin(http::Exchange& http) {
    ItemReply::begin(http);
    if (!request().stream) return;
    send_state("response.created", {}, http);
    send_state("response.in_progress", {}, http);
}

void ResponsesReply::on_open(http::Exchange& http) {
    const api::AnswerItem& item = items().back();
    send("response.output_item.added", api::item_members(head_, item, last()), http);
    if (item.kind != Kind::call)
        send("response.content_part.added", api::part_members(head_, item, last()), http);
}

void ResponsesReply::on_text(const std::string& text, http::Exchange& http) {
    const api::AnswerItem& item = items().back();
    send(names_of(item.kind).delta, api::delta_members(head_, item, last(), text), http);
}

void ResponsesReply::on_close(http::Exchange& http) {
    const api::AnswerItem& item = items().back();
    send(names_of(item.kind).done, api::done_members(head_, item, last()), http);
    if (item.kind != Kind::call)
        send("response.content_part.done", api::part_members(head_, item, last()), http);
    send("response.output_item.done", api::item_members(head_, item, last()), http);
}

// Agents take an answer that has neither a message nor a call for one that is still to come.
void ResponsesReply::on_end(http::Exchange& http) {
    const bool says_something = !items().empty() && items().back().kind != Kind::thought;
    if (!is_cut() && !says_something) open({.kind = Kind::text}, http);
}

void ResponsesReply::finish(http::Exchange& http) {
    api::ResponseState state{.status = Outcome::completed, .usage = usage()};
    const char* name = "response.completed";
    if (ending().finish_reason == name_of(FinishReason::length)) {
        state.status = Outcome::incomplete;
        name = "response.incomplete";
    } else if (ending().finish_reason == name_of(FinishReason::abort)) {
        state.status = Outcome::failed;
        state.error = "the server is stopping; ask again";
        name = "response.failed";
    }
    if (!request().stream)
        return http.reply(200, "application/json", api::response_json(head_, state, items()));
    send_state(name, state, http);
    http.end_events();
}

void ResponsesReply::fail(http::Exchange& http, const api::RequestError& error) {
    if (!request().stream) return refuse(http, error);
    send_state("response.failed",
               {.status = Outcome::failed, .usage = usage(), .error = error.message}, http);
    http.end_events();
}

}  // namespace fathom
