#include "api/messages_request.h"

#include "api/function_tool.h"
#include "api/messages_turns.h"
#include "api/text_parts.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

using Kind = ToolChoice::Kind;

std::vector<Tool> read_tools(BodyReader& body) {
    std::vector<Tool> tools;
    auto list = body.objects("tools");
    if (!list) return tools;
    for (BodyReader& tool : *list) {
        const std::string type = tool.string("type").value_or("custom");
        if (type == "custom")
            tools.push_back(read_function_tool(tool, "input_schema"));
        else
            tool.fail(invalid(tool.prefix() + "type",
                              str(place_of(tool), " is of type ", json_quoted(type),
                                  ", which is not run here; send tools with a name and an "
                                  "input_schema")));
        body.adopt(tool);
    }
    return tools;
}

void read_tool_choice(BodyReader& body, ChatRequest& request) {
    const std::vector<Tool>& tools = request.conversation.tools;
    request.tool_choice.kind = tools.empty() ? Kind::none : Kind::automatic;
    std::optional<BodyReader> choice = body.object("tool_choice");
    if (!choice) return;
    const std::string type = required_string(*choice, "type");
    if (type == "none")
        request.tool_choice.kind = Kind::none;
    else if (type == "any")
        request.tool_choice.kind = Kind::required;
    else if (type == "tool")
        request.tool_choice = {.kind = Kind::named, .name = required_string(*choice, "name")};
    else if (type != "auto")
        choice->fail(invalid("tool_choice", str("tool_choice is of type ", json_quoted(type),
                                                "; use auto, any, tool or none")));
    request.parallel_tool_calls = !choice->boolean("disable_parallel_tool_use").value_or(false);
    body.adopt(*choice);
    check_tool_choice(body, request.tool_choice, tools);
}

void read_thinking(BodyReader& body, ChatRequest& request) {
    request.conversation.thinking = read_thinking_kwargs(body).value_or(false);
    std::optional<BodyReader> thinking = body.object("thinking");
    if (!thinking) return;
    const std::string type = required_string(*thinking, "type");
    if (type != "enabled" && type != "adaptive" && type != "disabled")
        thinking->fail(invalid("thinking.type", str("thinking is of type ", json_quoted(type),
                                                    "; use enabled, adaptive or disabled")));
    request.conversation.thinking = type != "disabled";
    request.include_reasoning = thinking->string("display").value_or("") != "omitted";
    thinking->integer("budget_tokens");
    body.adopt(*thinking);
}

// output_config.format: {"type":"json_schema","schema":{...}}.
void read_format(BodyReader& body, ChatRequest& request) {
    std::optional<BodyReader> config = body.object("output_config");
    if (!config) return;
    if (std::optional<BodyReader> format = config->object("format")) {
        const std::string type = required_string(*format, "type");
        if (type != "json_schema" || !format->is_object("schema"))
            format->fail(invalid("output_config.format",
                                 "output_config.format must be of type json_schema, with the "
                                 "schema as an object"));
        else
            request.grammar = {.kind = GrammarSpec::Kind::json_schema,
                               .text = *format->json("schema")};
        config->adopt(*format);
    }
    body.adopt(*config);
}

void refuse_what_runs_elsewhere(BodyReader& body) {
    for (const char* field : {"mcp_servers", "container"})
        if (!body.is_off(field))
            body.fail(invalid(field, str("`", field,
                                         "` is run by Anthropic's servers and not "
                                         "here; leave it out")));
}

void read_conversation_of(BodyReader& body, ChatRequest& request) {
    request.conversation.messages = read_messages_turns(body);
    request.conversation.tools = read_tools(body);
    read_tool_choice(body, request);
    read_thinking(body, request);
    // The reply goes on from an assistant's last words.
    const std::vector<ChatMessage>& messages = request.conversation.messages;
    request.conversation.continue_final_message = !messages.empty() &&
                                                  messages.back().role == Role::assistant &&
                                                  messages.back().tool_calls.empty();
}

}  // namespace

std::variant<ChatRequest, RequestError> parse_messages_request(std::string_view text,
                                                               const RequestRules& rules) {
    BodyReader body(text);
    ChatRequest request;
    read_generation(body, rules, request);
    refuse_what_runs_elsewhere(body);
    read_conversation_of(body, request);
    read_format(body, request);
    if (auto stops = body.strings("stop_sequences")) request.stop = *std::move(stops);
    const std::optional<int64_t> length = body.integer("max_tokens");
    if (!length)
        body.fail(invalid("max_tokens",
                          "max_tokens: Field required; send the most tokens that "
                          "the answer may have"));
    else if (*length < 1)
        body.fail(invalid("max_tokens", str("max_tokens must be at least 1, got ", *length, ".")));
    request.max_tokens = length.value_or(1);
    check_generation(body, rules, request);
    check_one_message(body, request);
    if (body.error()) return *body.error();
    settle_generation(request);
    return request;
}

std::variant<ChatRequest, RequestError> parse_count_tokens_request(std::string_view text) {
    BodyReader body(text);
    ChatRequest request;
    request.model = body.string("model").value_or("");
    read_conversation_of(body, request);
    if (body.error()) return *body.error();
    return request;
}

}  // namespace fathom::api
