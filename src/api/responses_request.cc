#include "api/responses_request.h"

#include <algorithm>
#include <limits>

#include "api/function_tool.h"
#include "api/json_text.h"
#include "api/responses_input.h"
#include "api/text_parts.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

using Kind = ToolChoice::Kind;

void refuse_what_is_kept(BodyReader& body) {
    struct Refused {
        const char* field;
        const char* why;
    };
    constexpr Refused kRefused[] = {
        {"previous_response_id",
         "no answers are stored here; send the whole conversation in input"},
        {"conversation", "no conversations are stored here; send the whole one in input"},
        {"prompt", "no prompts are stored here; send its text in instructions and input"},
        {"background", "answers are not made in the background; leave it out and use stream"},
        {"top_logprobs", "logprobs are answered by /v1/chat/completions only; leave it out"},
    };
    for (const auto& [field, why] : kRefused)
        if (!body.is_off(field)) body.fail(invalid(field, str("`", field, "`: ", why)));
    const auto include = body.strings("include").value_or(std::vector<std::string>{});
    if (std::ranges::find(include, "message.output_text.logprobs") != include.end())
        body.fail(invalid("include",
                          "message.output_text.logprobs in `include`: logprobs are answered by "
                          "/v1/chat/completions only; leave it out"));
}

std::vector<Tool> read_tools(BodyReader& body) {
    std::vector<Tool> tools;
    auto list = body.objects("tools");
    if (!list) return tools;
    for (BodyReader& tool : *list) {
        const std::string type = required_string(tool, "type");
        if (type == "function")
            tools.push_back(read_function_tool(tool, "parameters"));
        else
            tool.fail(invalid(tool.prefix() + "type",
                              str(place_of(tool), " is of type ", json_quoted(type),
                                  ", which is not run here; send tools of type function")));
        body.adopt(tool);
    }
    return tools;
}

// {"type":"allowed_tools","mode":"auto" or "required","tools":[{"type":"function","name":...}]}:
// the others are left out of the prompt, so they cannot be called.
ToolChoice read_allowed(BodyReader& choice, std::vector<Tool>& tools) {
    std::vector<std::string> allowed;
    auto list = choice.objects("tools");
    if (!list) return {};
    for (BodyReader& tool : *list) {
        allowed.push_back(required_string(tool, "name"));
        if (std::ranges::find(tools, allowed.back(), &Tool::name) == tools.end())
            tool.fail(invalid("tool_choice", str("tool_choice allows ", json_quoted(allowed.back()),
                                                 ", which is none of `tools`")));
        choice.adopt(tool);
    }
    std::erase_if(tools, [&](const Tool& tool) {
        return std::ranges::find(allowed, tool.name) == allowed.end();
    });
    const std::string mode = choice.string("mode").value_or("auto");
    if (mode != "auto" && mode != "required")
        choice.fail(invalid("tool_choice", str("tool_choice has the mode ", json_quoted(mode),
                                               "; use \"auto\" or \"required\"")));
    if (mode == "required") return {.kind = Kind::required};
    return {.kind = tools.empty() ? Kind::none : Kind::automatic};
}

ToolChoice read_choice_object(BodyReader& choice, std::vector<Tool>& tools) {
    const std::string type = required_string(choice, "type");
    if (type == "function") return {.kind = Kind::named, .name = required_string(choice, "name")};
    if (type == "allowed_tools") return read_allowed(choice, tools);
    choice.fail(invalid("tool_choice", str("tool_choice is of type ", json_quoted(type),
                                           ", which is not run here; use function, allowed_tools, "
                                           "\"none\", \"auto\" or \"required\"")));
    return {};
}

// May leave tools out.
ToolChoice read_tool_choice(BodyReader& body, std::vector<Tool>& tools) {
    ToolChoice choice{.kind = tools.empty() ? Kind::none : Kind::automatic};
    if (body.is_object("tool_choice")) {
        std::optional<BodyReader> object = body.object("tool_choice");
        choice = read_choice_object(*object, tools);
        body.adopt(*object);
    } else if (const auto word = body.string("tool_choice")) {
        if (*word == "none")
            choice.kind = Kind::none;
        else if (*word == "required")
            choice.kind = Kind::required;
        else if (*word != "auto")
            body.fail(invalid("tool_choice",
                              str("Invalid value for `tool_choice`: ", json_quoted(*word),
                                  "; use \"none\", \"auto\", \"required\" or a function")));
    }
    check_tool_choice(body, choice, tools);
    return choice;
}

// text.format: {"type":"json_schema","name":...,"schema":{...}} and its kin.
std::optional<GrammarSpec> read_format(BodyReader& body) {
    std::optional<GrammarSpec> spec;
    std::optional<BodyReader> text = body.object("text");
    if (!text) return spec;
    if (std::optional<BodyReader> format = text->object("format")) {
        const std::string type = required_string(*format, "type");
        if (type == "json_object") {
            spec = {.kind = GrammarSpec::Kind::json_object};
        } else if (type == "json_schema" && format->is_object("schema")) {
            spec = {.kind = GrammarSpec::Kind::json_schema, .text = *format->json("schema")};
        } else if (type == "json_schema") {
            format->fail(
                invalid("text.format.schema",
                        "text.format of type json_schema has no `schema`; send an object"));
        } else if (type != "text") {
            format->fail(
                invalid("text.format", str("text.format type ", json_quoted(type),
                                           " is unknown; use text, json_object or json_schema")));
        }
        text->adopt(*format);
    }
    body.adopt(*text);
    return spec;
}

bool read_thinking(BodyReader& body) {
    std::optional<bool> thinking = read_thinking_kwargs(body);
    if (std::optional<BodyReader> reasoning = body.object("reasoning")) {
        const std::optional<std::string> effort = reasoning->string("effort");
        if (!thinking && effort) thinking = *effort != "none";
        body.adopt(*reasoning);
    }
    return thinking.value_or(false);
}

std::string echo_json(BodyReader& body, const ChatRequest& chat, bool length_is_given) {
    const auto as_sent = [&](const char* field, const char* otherwise) {
        return body.json(field).value_or(otherwise);
    };
    return str(
        R"("background":false,"instructions":)", as_sent("instructions", "null"),
        R"(,"max_output_tokens":)", length_is_given ? std::to_string(chat.max_tokens) : "null",
        R"(,"max_tool_calls":)", as_sent("max_tool_calls", "null"), R"(,"metadata":)",
        as_sent("metadata", "{}"), R"(,"parallel_tool_calls":)",
        chat.parallel_tool_calls ? "true" : "false",
        R"(,"previous_response_id":null,"prompt_cache_key":)", as_sent("prompt_cache_key", "null"),
        R"(,"reasoning":)", as_sent("reasoning", R"({"effort":null,"summary":null})"),
        R"(,"safety_identifier":)", as_sent("safety_identifier", "null"),
        R"(,"service_tier":"default","store":false,"temperature":)", float_text(chat.temperature),
        R"(,"text":)", as_sent("text", R"({"format":{"type":"text"}})"), R"(,"tool_choice":)",
        as_sent("tool_choice", R"("auto")"), R"(,"tools":)", as_sent("tools", "[]"),
        R"(,"top_logprobs":0,"top_p":)", float_text(chat.top_p), R"(,"truncation":)",
        as_sent("truncation", R"("disabled")"), R"(,"user":)", as_sent("user", "null"));
}

}  // namespace

std::variant<ResponsesRequest, RequestError> parse_responses_request(std::string_view text,
                                                                     const RequestRules& rules) {
    BodyReader body(text);
    ResponsesRequest request;
    ChatRequest& chat = request.chat;
    refuse_what_is_kept(body);
    read_generation(body, rules, chat);
    if (const auto instructions = body.string("instructions"))
        chat.conversation.messages.push_back({.role = Role::system, .content = *instructions});
    std::ranges::move(read_responses_input(body), std::back_inserter(chat.conversation.messages));
    chat.conversation.tools = read_tools(body);
    chat.tool_choice = read_tool_choice(body, chat.conversation.tools);
    chat.conversation.thinking = read_thinking(body);
    chat.parallel_tool_calls = body.boolean("parallel_tool_calls").value_or(true);
    if (std::optional<GrammarSpec> format = read_format(body)) chat.grammar = std::move(format);
    const std::optional<int64_t> length = body.integer("max_output_tokens");
    if (length) chat.max_tokens = *length;
    if (length && *length < 1)
        body.fail(invalid("max_output_tokens",
                          str("max_output_tokens must be at least 1, got ", *length, ".")));
    // What the context has room for is not known yet, and no limit to min_tokens.
    if (!length) chat.max_tokens = std::numeric_limits<int64_t>::max();
    check_generation(body, rules, chat);
    if (!length) chat.max_tokens = 0;
    check_one_message(body, chat);
    if (body.error()) return *body.error();
    settle_generation(chat);
    request.echo = echo_json(body, chat, length.has_value());
    return request;
}

}  // namespace fathom::api
