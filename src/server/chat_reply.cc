#include "server/chat_reply.h"

#include <ctime>

namespace fathom {

ReplyOrError ChatReply::prepare(const ServedModel& model, const std::string& body,
                                const RequestInfo& info) {
    auto parsed = api::parse_chat_request(body, model.rules);
    if (auto* error = std::get_if<api::RequestError>(&parsed)) return std::move(*error);
    auto chat = prepare_chat(model, std::get<api::ChatRequest>(std::move(parsed)));
    if (auto* error = std::get_if<api::RequestError>(&chat)) return std::move(*error);
    auto& prepared = std::get<PreparedChat>(chat);
    std::string id = answer_id("chatcmpl-", info, prepared.request.request_id);
    return std::unique_ptr<Reply>(new ChatReply(model, std::move(prepared), std::move(id)));
}

ChatReply::ChatReply(const ServedModel& model, PreparedChat chat, std::string id)
    : model_(model),
      chat_(std::move(chat)),
      request_(chat_.request),
      head_{.id = std::move(id),
            .created = std::time(nullptr),
            .model = model.names[0],
            .role = model.response_role,
            .top_logprobs = request_.logprobs.value_or(0)} {
    choices_.reserve(request_.n);
    for (int i = 0; i < request_.n; ++i)
        choices_.push_back({.chat = ChatChoice(model, request_, chat_.in_reasoning)});
    if (request_.return_token_ids) prompt_.token_ids = chat_.prompt;
}

std::optional<uint64_t> ChatReply::seed() const {
    if (!request_.seed) return std::nullopt;
    return static_cast<uint64_t>(*request_.seed);
}

void ChatReply::begin(http::Exchange& http) {
    if (request_.stream) http.begin_events();
}

bool ChatReply::take(int64_t index, TokenEvent event, http::Exchange& http) {
    Choice& choice = choices_[index];
    if (!choice.begun && request_.prompt_logprobs && !prompt_.logprobs &&
        event.prompt_logprobs.size() + 1 == chat_.prompt.size())
        prompt_.logprobs = ShownTokens(*model_.tokenizer, request_.return_tokens_as_token_ids)
                               .prompt(chat_.prompt, event.prompt_logprobs);
    if (!choice.begun) begin_choice(index, http);
    ChatStep step = choice.chat.take(event);
    const bool ended = !step.ending.finish_reason.empty();
    if (request_.stream)
        send(index, std::move(step), http);
    else
        choice.collected.add(std::move(step));
    return ended;
}

void ChatReply::begin_choice(int64_t index, http::Exchange& http) {
    Choice& choice = choices_[index];
    choice.begun = true;
    const std::string echo = echoed();
    if (!request_.stream) {
        if (!echo.empty())
            choice.collected.add({.pieces = {{.kind = ReplyPiece::Kind::content, .text = echo}}});
        return;
    }
    api::ChatDelta role{.index = static_cast<int>(index), .delta = api::role_delta(head_.role)};
    if (request_.return_token_ids) role.prompt_token_ids = chat_.prompt;
    send_delta(std::move(role), http);
    if (!echo.empty())
        send_delta({.index = static_cast<int>(index),
                    .delta = api::piece_delta({.kind = ReplyPiece::Kind::content, .text = echo},
                                              /*call_id=*/"")},
                   http);
}

std::string ChatReply::echoed() const {
    const ChatMessage& last = request_.conversation.messages.back();
    const bool ours = last.role == Role::assistant && head_.role == "assistant";
    return request_.echo && ours ? last.content : "";
}

// An event per piece: clients that read either the thought or the text of an event lose nothing.
// Logprobs and ids of the step go with the first, the ending with the last.
void ChatReply::send(int64_t index, ChatStep step, http::Exchange& http) {
    Choice& choice = choices_[index];
    const bool ended = !step.ending.finish_reason.empty();
    const bool reports = request_.return_token_ids || request_.logprobs;
    if (step.pieces.empty() && !ended && !(reports && !step.token_ids.empty())) return;
    const size_t events = std::max<size_t>(step.pieces.size(), 1);
    for (size_t i = 0; i < events; ++i) {
        api::ChatDelta delta{.index = static_cast<int>(index)};
        if (i < step.pieces.size()) {
            const ReplyPiece& piece = step.pieces[i];
            if (piece.kind == ReplyPiece::Kind::call_begin) choice.calls.push_back(new_call_id());
            delta.delta = api::piece_delta(piece, choice.calls.empty() ? "" : choice.calls.back());
        }
        if (i == 0 && request_.logprobs && !step.logprobs.empty())
            delta.logprobs = std::move(step.logprobs);
        if (i == 0 && request_.return_token_ids) delta.token_ids = std::move(step.token_ids);
        if (i + 1 == events) delta.ending = std::move(step.ending);
        send_delta(std::move(delta), http);
    }
}

void ChatReply::send_delta(api::ChatDelta delta, http::Exchange& http) {
    std::optional<api::Usage> usage;
    if (request_.continuous_usage_stats)
        usage = api::Usage{.prompt_tokens = std::ssize(chat_.prompt),
                           .completion_tokens = choices_[delta.index].chat.tokens()};
    http.send_event(api::chat_chunk_json(head_, delta, usage));
}

void ChatReply::finish(http::Exchange& http) {
    if (!request_.stream) {
        std::vector<api::ChatMessageOut> whole;
        whole.reserve(request_.n);
        for (int i = 0; i < request_.n; ++i)
            whole.push_back(std::move(choices_[i].collected)
                                .message(i, request_, chat_.in_reasoning, *model_.tokenizer));
        return http.reply(200, "application/json", api::chat_json(head_, whole, prompt_, usage()));
    }
    if (request_.include_usage) http.send_event(api::chat_usage_json(head_, usage()));
    http.send_event("[DONE]");
    http.end_events();
}

void ChatReply::fail(http::Exchange& http, const api::RequestError& error) {
    fail_answer(http, error, request_.stream);
}

api::Usage ChatReply::usage() const {
    api::Usage usage{.prompt_tokens = std::ssize(chat_.prompt)};
    int64_t reasoning = 0;
    for (const Choice& choice : choices_) {
        usage.completion_tokens += choice.chat.tokens();
        reasoning += choice.chat.reasoning_tokens();
    }
    if (chat_.in_reasoning) usage.reasoning_tokens = reasoning;
    if (model_.prompt_tokens_details) usage.cached_tokens = choices_[0].chat.cached_tokens();
    return usage;
}

}  // namespace fathom
