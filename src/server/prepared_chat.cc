#include "server/prepared_chat.h"

#include <algorithm>

#include "server/engine_request.h"

namespace fathom {
namespace {

using Kind = api::ToolChoice::Kind;

// The JSON that the answer must be; empty where it is free, or held to something else.
std::string answer_schema(const std::optional<GrammarSpec>& grammar) {
    if (!grammar) return "";
    if (grammar->kind == GrammarSpec::Kind::json_schema) return grammar->text;
    return grammar->kind == GrammarSpec::Kind::json_object ? R"({"type":"object"})" : "";
}

// What tool_choice and response_format ask of the reply's form. A call that is asked for is forced.
// Where the choice is free and the answer must be JSON, the reply is either; else it is held to
// schemas only where a tool is strict, from the beginning of a block on.
std::optional<GrammarSpec> reply_grammar(const api::ChatRequest& request) {
    const std::vector<Tool>& tools = request.conversation.tools;
    GrammarSpec spec{.kind = GrammarSpec::Kind::calls, .single_call = !request.parallel_tool_calls};
    switch (request.tool_choice.kind) {
        case Kind::none: return request.grammar;
        case Kind::automatic:
            spec.text = answer_schema(request.grammar);
            if (!spec.text.empty() && !tools.empty()) {
                spec.tools = tools;
                return spec;
            }
            if (request.grammar || std::ranges::none_of(tools, &Tool::strict))
                return request.grammar;
            spec.tools = tools;
            spec.free_text_before = true;
            return spec;
        case Kind::required: spec.tools = tools; return spec;
        case Kind::named:
            std::ranges::copy_if(tools, std::back_inserter(spec.tools), [&](const Tool& tool) {
                return tool.name == request.tool_choice.name;
            });
            spec.single_call = true;
            return spec;
    }
    return std::nullopt;
}

}  // namespace

std::variant<std::vector<Token>, api::RequestError> chat_prompt(const ServedModel& model,
                                                                const api::ChatRequest& request,
                                                                bool& in_reasoning) {
    const ChatFormat format(model.chat);
    Result<ChatPrompt> prompt = format.render(request.conversation);
    if (!prompt.ok()) return api::invalid("messages", prompt.error().message);
    in_reasoning = prompt.value().in_reasoning;
    std::vector<Token> tokens = format.encode(*model.tokenizer, prompt.value());
    const std::optional<Token> bos = model.tokenizer->bos();
    if (request.add_special_tokens && bos) tokens.insert(tokens.begin(), *bos);
    truncate_prompt(model, request, tokens);
    return tokens;
}

std::variant<PreparedChat, api::RequestError> prepare_chat(const ServedModel& model,
                                                           api::ChatRequest request) {
    if (!model.is_served(request.model)) return api::model_not_found(request.model);
    request.grammar = reply_grammar(request);
    if (model.exclude_tools_when_none && request.tool_choice.kind == Kind::none)
        request.conversation.tools.clear();
    PreparedChat prepared;
    auto prompt = chat_prompt(model, request, prepared.in_reasoning);
    if (auto* error = std::get_if<api::RequestError>(&prompt)) return std::move(*error);
    prepared.prompt = std::get<std::vector<Token>>(std::move(prompt));
    if (auto error = api::check_prompt(prepared.prompt, model.vocab_size)) return std::move(*error);
    if (auto error = api::settle_length(request, std::ssize(prepared.prompt), model.max_model_len))
        return std::move(*error);

    std::optional<Token> think_end;
    if (prepared.in_reasoning) think_end = model.tokenizer->added_token("</think>");
    auto requests = engine_requests(model, request, {prepared.prompt}, think_end);
    if (auto* error = std::get_if<api::RequestError>(&requests)) return std::move(*error);
    prepared.requests = std::get<std::vector<Request>>(std::move(requests));
    prepared.request = std::move(request);
    return prepared;
}

}  // namespace fathom
