#include "server/item_reply.h"

#include <algorithm>

namespace fathom {
namespace {

using Kind = api::AnswerItem::Kind;
using State = api::AnswerItem::State;

Kind kind_of(const ReplyPiece& piece) {
    switch (piece.kind) {
        case ReplyPiece::Kind::reasoning: return Kind::thought;
        case ReplyPiece::Kind::content: return Kind::text;
        case ReplyPiece::Kind::call_begin:
        case ReplyPiece::Kind::call_arguments: break;
    }
    return Kind::call;
}

// What the tokens of one step add to one text is told at once.
std::vector<ReplyPiece> joined(std::vector<ReplyPiece> pieces) {
    std::vector<ReplyPiece> out;
    for (ReplyPiece& piece : pieces) {
        const bool goes_on = !out.empty() && out.back().kind == piece.kind &&
                             piece.kind != ReplyPiece::Kind::call_begin;
        if (goes_on)
            out.back().text += piece.text;
        else
            out.push_back(std::move(piece));
    }
    return out;
}

}  // namespace

ItemReply::ItemReply(const ServedModel& model, PreparedChat chat, const char* call_prefix)
    : chat_(std::move(chat)),
      choice_(model, chat_.request, chat_.in_reasoning),
      call_prefix_(call_prefix) {}

std::optional<uint64_t> ItemReply::seed() const {
    if (!request().seed) return std::nullopt;
    return static_cast<uint64_t>(*request().seed);
}

void ItemReply::begin(http::Exchange& http) {
    if (request().stream) http.begin_events();
}

bool ItemReply::take(int64_t, TokenEvent event, http::Exchange& http) {
    ChatStep step = choice_.take(event);
    if (!begun_ && request().stream) on_first(http);
    begun_ = true;
    for (const ReplyPiece& piece : joined(std::move(step.pieces))) add(piece, http);
    if (step.ending.finish_reason.empty()) return false;
    ending_ = std::move(step.ending);
    on_end(http);
    close(http);
    return true;
}

void ItemReply::add(const ReplyPiece& piece, http::Exchange& http) {
    const Kind kind = kind_of(piece);
    if (piece.kind == ReplyPiece::Kind::call_begin)
        return open({.kind = kind, .name = piece.text, .call_id = call_prefix_ + random_hex(24)},
                    http);
    if (items_.empty() || items_.back().kind != kind) open({.kind = kind}, http);
    items_.back().text += piece.text;
    if (request().stream) on_text(piece.text, http);
}

void ItemReply::open(api::AnswerItem item, http::Exchange& http) {
    close(http);
    items_.push_back(std::move(item));
    if (request().stream) on_open(http);
}

void ItemReply::close(http::Exchange& http) {
    if (items_.empty() || items_.back().state != State::open) return;
    items_.back().state = is_cut() ? State::cut : State::complete;
    if (request().stream) on_close(http);
}

bool ItemReply::has_calls() const {
    return std::ranges::any_of(items_, [](const auto& item) { return item.kind == Kind::call; });
}

bool ItemReply::is_cut() const {
    return ending_.finish_reason == name_of(FinishReason::length) ||
           ending_.finish_reason == name_of(FinishReason::abort);
}

api::Usage ItemReply::usage() const {
    return {.prompt_tokens = std::ssize(chat_.prompt),
            .completion_tokens = choice_.tokens(),
            .cached_tokens = choice_.cached_tokens(),
            .reasoning_tokens = choice_.reasoning_tokens()};
}

std::variant<PreparedChat, api::RequestError> prepare_limited_chat(const ServedModel& model,
                                                                   api::ChatRequest request) {
    const int64_t limit = request.max_tokens;
    request.max_tokens = 0;
    auto prepared = prepare_chat(model, std::move(request));
    auto* chat = std::get_if<PreparedChat>(&prepared);
    if (chat == nullptr || limit == 0 || limit > chat->request.max_tokens) return prepared;
    chat->request.max_tokens = limit;
    for (Request& one : chat->requests) one.max_tokens = static_cast<int>(limit);
    return prepared;
}

}  // namespace fathom
