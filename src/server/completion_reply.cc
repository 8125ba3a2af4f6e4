#include "server/completion_reply.h"

#include <ctime>

#include "server/engine_request.h"
#include "text/utf8.h"

namespace fathom {
namespace {

std::vector<Token> tokenize(const ServedModel& model, const api::CompletionRequest& request,
                            const api::Prompt& prompt) {
    if (const auto* ids = std::get_if<std::vector<Token>>(&prompt)) return *ids;
    return model.encode(std::get<std::string>(prompt), request.add_special_tokens);
}

// The prompt as the answer repeats it: the client's own text, or what its ids say.
std::string echo_of(const ServedModel& model, const api::CompletionRequest& request,
                    const api::Prompt& prompt, const std::vector<Token>& tokens) {
    const auto* text = std::get_if<std::string>(&prompt);
    if (text != nullptr && !request.truncate_prompt_tokens) return *text;
    return to_valid_utf8(model.tokenizer->decode(tokens, request.skip_special_tokens));
}

}  // namespace

ReplyOrError CompletionReply::prepare(const ServedModel& model, const std::string& body,
                                      const RequestInfo& info) {
    auto parsed = api::parse_completion_request(body, model.rules);
    if (auto* error = std::get_if<api::RequestError>(&parsed)) return std::move(*error);
    auto& request = std::get<api::CompletionRequest>(parsed);
    if (!model.is_served(request.model)) return api::model_not_found(request.model);
    if (request.echo && request.logprobs && !request.prompt_logprobs)
        request.prompt_logprobs = request.logprobs;

    std::vector<std::vector<Token>> prompts;
    std::vector<std::string> echoes;
    for (const api::Prompt& prompt : request.prompts) {
        std::vector<Token> tokens = tokenize(model, request, prompt);
        truncate_prompt(model, request, tokens);
        if (auto error = api::check_prompt(tokens, model.vocab_size)) return std::move(*error);
        if (auto error = api::check_length(
                std::ssize(tokens), std::max<int64_t>(request.max_tokens, 1), model.max_model_len))
            return std::move(*error);
        if (request.echo) echoes.push_back(echo_of(model, request, prompt, tokens));
        prompts.push_back(std::move(tokens));
    }
    request.prompts.clear();  // Only their tokens are needed from here on.
    auto requests = engine_requests(model, request, prompts);
    if (auto* error = std::get_if<api::RequestError>(&requests)) return std::move(*error);
    std::string id = answer_id("cmpl-", info, request.request_id);
    std::unique_ptr<CompletionReply> reply(new CompletionReply(
        model, std::move(request), std::move(prompts), std::move(echoes), std::move(id)));
    reply->requests_ = std::get<std::vector<Request>>(std::move(requests));
    return reply;
}

CompletionReply::CompletionReply(const ServedModel& model, api::CompletionRequest request,
                                 std::vector<std::vector<Token>> prompts,
                                 std::vector<std::string> echoes, std::string id)
    : model_(model),
      request_(std::move(request)),
      prompts_(std::move(prompts)),
      echoes_(std::move(echoes)),
      head_(api::CompletionHead{
          .id = std::move(id), .created = std::time(nullptr), .model = model.names[0]}
                .json()) {
    const auto choices = static_cast<int>(std::ssize(prompts_) * n());
    choices_.reserve(choices);
    for (int i = 0; i < choices; ++i) choices_.emplace_back(model, request_, i);
}

std::optional<uint64_t> CompletionReply::seed() const {
    if (!request_.seed) return std::nullopt;
    return static_cast<uint64_t>(*request_.seed);
}

void CompletionReply::begin(http::Exchange& http) {
    if (request_.stream) http.begin_events();
}

bool CompletionReply::take(int64_t index, TokenEvent event, http::Exchange& http) {
    Choice& choice = choices_[index];
    api::CompletionChoice piece = choice.text.take(event);
    if (!choice.begun) prepend_prompt(piece, event);
    if (request_.stream)
        send(choice, std::move(piece), http);
    else
        collect(choice.whole, std::move(piece));
    choice.begun = true;
    return choice.text.finished();
}

void CompletionReply::prepend_prompt(api::CompletionChoice& piece, const TokenEvent& event) const {
    const std::vector<Token>& prompt = prompt_of(piece.index);
    if (request_.return_token_ids) piece.prompt_token_ids = prompt;
    const ShownTokens shown(*model_.tokenizer, request_.return_tokens_as_token_ids);
    const bool has_rows = event.prompt_logprobs.size() + 1 == prompt.size();  // Not after an abort.
    if (request_.prompt_logprobs && has_rows && !request_.stream)
        piece.prompt_logprobs = shown.prompt(prompt, event.prompt_logprobs);
    if (!request_.echo) return;
    piece.text.insert(0, echoes_[piece.index / n()]);
    if (!piece.logprobs || !has_rows) return;
    std::vector<api::LogprobRow> rows = shown.prompt(prompt, event.prompt_logprobs);
    piece.logprobs->insert(piece.logprobs->begin(), std::make_move_iterator(rows.begin()),
                           std::make_move_iterator(rows.end()));
}

void CompletionReply::send(Choice& choice, api::CompletionChoice piece, http::Exchange& http) {
    piece.text_offset = choice.text_offset;
    if (piece.logprobs) choice.text_offset += api::characters(*piece.logprobs);
    std::optional<api::Usage> usage;
    if (request_.continuous_usage_stats) usage = usage_of(piece.index);
    http.send_event(api::completion_chunk_json(head_, piece, usage));
}

void CompletionReply::collect(api::CompletionChoice& whole, api::CompletionChoice piece) {
    const auto append = [](auto& all, auto&& more) {
        if (!more) return;
        if (!all) all.emplace();
        all->insert(all->end(), std::make_move_iterator(more->begin()),
                    std::make_move_iterator(more->end()));
    };
    whole.text += piece.text;
    append(whole.token_ids, std::move(piece.token_ids));
    append(whole.prompt_token_ids, std::move(piece.prompt_token_ids));
    append(whole.logprobs, std::move(piece.logprobs));
    append(whole.prompt_logprobs, std::move(piece.prompt_logprobs));
    whole.ending = std::move(piece.ending);
}

void CompletionReply::finish(http::Exchange& http) {
    if (!request_.stream) {
        std::vector<api::CompletionChoice> whole;
        for (Choice& choice : choices_) whole.push_back(std::move(choice.whole));
        return http.reply(200, "application/json", api::completion_json(head_, whole, usage()));
    }
    if (request_.include_usage) http.send_event(api::completion_usage_json(head_, usage()));
    http.send_event("[DONE]");
    http.end_events();
}

void CompletionReply::fail(http::Exchange& http, const api::RequestError& error) {
    fail_answer(http, error, request_.stream);
}

api::Usage CompletionReply::usage() const {
    api::Usage usage;
    int64_t cached = 0;
    for (const std::vector<Token>& prompt : prompts_) usage.prompt_tokens += std::ssize(prompt);
    for (const Choice& choice : choices_) {
        usage.completion_tokens += choice.text.tokens();
        if (choice.whole.index % n() == 0) cached += choice.text.cached_tokens();
    }
    if (model_.prompt_tokens_details) usage.cached_tokens = cached;
    return usage;
}

api::Usage CompletionReply::usage_of(int64_t choice) const {
    return {.prompt_tokens = std::ssize(prompt_of(choice)),
            .completion_tokens = choices_[choice].text.tokens()};
}

}  // namespace fathom
