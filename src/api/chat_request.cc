#include "api/chat_request.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "text/json_value.h"
#include "text/python_json.h"

namespace fathom::api {
namespace {

RequestError missing(const std::string& field) {
    return {.message = str("[{'type': 'missing', 'loc': ('body', '", field,
                           "'), 'msg': 'Field required'}]"),
            .type = "Bad Request",
            .param = field};
}

// JSON that was read once already, as it stands in prompts.
std::string prompt_json(const std::string& json) { return python_json(json).value(); }

std::string required_string(BodyReader& object, const char* field) {
    if (!object.has(field)) object.fail(missing(object.prefix() + field));
    return object.string(field).value_or("");
}

// A part of a content: text, whatever it is called.
std::string read_part(BodyReader& part) {
    const std::string type = part.string("type").value_or("text");
    if (type == "refusal" || type == "thinking") return required_string(part, type.c_str());
    if (type == "text" || type == "input_text" || type == "output_text")
        return required_string(part, "text");
    part.fail(
        invalid(part.prefix() + "type", str("This model reads text only, and a part is of type ",
                                            json_quoted(type), "; send parts of type \"text\"")));
    return "";
}

// A text, null, or parts that are joined with newlines.
std::string read_content(BodyReader& message) {
    if (!message.is_array("content")) return message.string("content").value_or("");
    std::string content;
    bool first = true;
    auto parts = message.parts("content");
    if (!parts) return content;
    for (auto& part : *parts) {
        if (!std::exchange(first, false)) content += '\n';
        if (auto* text = std::get_if<std::string>(&part)) {
            content += *text;
        } else {
            auto& object = std::get<BodyReader>(part);
            content += read_part(object);
            message.adopt(object);
        }
    }
    return content;
}

// Arguments are the text of a JSON object; some clients send the object.
std::string read_arguments(BodyReader& function) {
    if (function.is_object("arguments")) return *function.json("arguments");
    return function.string("arguments").value_or("");
}

std::vector<ToolCall> read_calls(BodyReader& message) {
    std::vector<ToolCall> calls;
    auto list = message.objects("tool_calls");
    if (!list) return calls;
    for (BodyReader& call : *list) {
        if (auto function = call.object("function")) {
            calls.push_back({.id = call.string("id").value_or(""),
                             .name = required_string(*function, "name"),
                             .arguments = read_arguments(*function)});
            call.adopt(*function);
        } else if (!call.has("function")) {
            call.fail(missing(call.prefix() + "function"));
        }
        message.adopt(call);
    }
    return calls;
}

std::vector<Tool> read_tools(BodyReader& object) {
    std::vector<Tool> tools;
    auto list = object.objects("tools");
    if (!list) return tools;
    for (BodyReader& item : *list) {
        const std::string type = item.string("type").value_or("function");
        if (type != "function")
            item.fail(invalid(item.prefix() + "type",
                              str("a tool is of type ", json_quoted(type),
                                  ", and only \"function\" is supported; leave it out")));
        if (auto function = item.object("function")) {
            Tool tool{.name = required_string(*function, "name"),
                      .function = prompt_json(function->json_without_nulls()),
                      .strict = function->boolean("strict").value_or(false)};
            if (auto parameters = function->object("parameters"))
                tool.parameters = prompt_json(parameters->json());
            tools.push_back(std::move(tool));
            item.adopt(*function);
        } else if (!item.has("function")) {
            item.fail(missing(item.prefix() + "function"));
        }
        object.adopt(item);
    }
    return tools;
}

std::optional<Role> read_role(BodyReader& message) {
    static constexpr std::pair<const char*, Role> kRoles[] = {
        {"system", Role::system}, {"user", Role::user},           {"assistant", Role::assistant},
        {"tool", Role::tool},     {"developer", Role::developer},
    };
    const std::string name = required_string(message, "role");
    for (const auto& [known, role] : kRoles)
        if (name == known) return role;
    message.fail(invalid(message.prefix() + "role",
                         str("Unknown role: ", json_quoted(name),
                             "; use system, developer, user, assistant or tool")));
    return std::nullopt;
}

ChatMessage read_message(BodyReader& message) {
    ChatMessage out;
    const std::optional<Role> role = read_role(message);
    if (!role) return out;
    out.role = *role;
    out.content = read_content(message);
    switch (out.role) {
        case Role::assistant:
            // Clients send back what they were answered, under either name.
            out.reasoning = message.string("reasoning").value_or("");
            if (auto older = message.string("reasoning_content"); older && out.reasoning.empty())
                out.reasoning = *std::move(older);
            out.tool_calls = read_calls(message);
            out.prefix = message.boolean("prefix").value_or(false);
            if (!message.is_off("function_call"))
                message.fail(invalid(message.prefix() + "function_call",
                                     "function_call is the old form of tool_calls and not "
                                     "supported; send tool_calls"));
            break;
        case Role::tool: out.tool_call_id = message.string("tool_call_id").value_or(""); break;
        case Role::system:
        case Role::developer:
            out.tools = read_tools(message);
            if (!message.is_off("response_format"))
                out.response_format = prompt_json(*message.json("response_format"));
            break;
        case Role::user: break;
    }
    return out;
}

// In this order: what the template is told (vLLM), DeepSeek's own field, how much effort it may be.
bool read_thinking(BodyReader& body) {
    std::optional<bool> thinking;
    if (auto kwargs = body.object("chat_template_kwargs")) {
        if (kwargs->has("thinking") || kwargs->has("enable_thinking"))
            thinking = !kwargs->is_off("thinking") || !kwargs->is_off("enable_thinking");
        body.adopt(*kwargs);
    }
    if (body.is_object("thinking")) {
        auto own = body.object("thinking");
        const std::string type = own->string("type").value_or("");
        if (type != "enabled" && type != "disabled")
            own->fail(invalid("thinking", str("thinking has the type ", json_quoted(type),
                                              "; use \"enabled\" or \"disabled\"")));
        if (!thinking) thinking = type == "enabled";
        body.adopt(*own);
    } else if (const auto own = body.boolean("thinking"); own && !thinking) {
        thinking = own;
    }
    if (const auto effort = body.string("reasoning_effort")) {
        static constexpr std::array kEfforts = {"none", "minimal", "low", "medium",
                                                "high", "xhigh",   "max"};
        if (std::ranges::find(kEfforts, *effort) == kEfforts.end())
            body.fail(invalid("reasoning_effort",
                              str("reasoning_effort is ", json_quoted(*effort),
                                  "; use none, minimal, low, medium, high, xhigh or max")));
        if (!thinking) thinking = *effort != "none";
    }
    return thinking.value_or(false);
}

bool has_tools(const Conversation& conversation) {
    return !conversation.tools.empty() ||
           std::ranges::any_of(conversation.messages,
                               [](const ChatMessage& message) { return !message.tools.empty(); });
}

// The name that a tool_choice of {"type":"function","function":{"name":...}} asks for.
std::string named_tool(BodyReader& body, const std::vector<Tool>& tools) {
    std::optional<BodyReader> choice = body.object("tool_choice");
    std::optional<BodyReader> function = choice->object("function");
    std::string name = function ? function->string("name").value_or("") : "";
    if (std::ranges::find(tools, name, &Tool::name) == tools.end())
        body.fail(invalid("tool_choice",
                          "The tool specified in `tool_choice` does not match any "
                          "of the specified `tools`"));
    return name;
}

ToolChoice read_tool_choice(BodyReader& body, const Conversation& conversation) {
    using Kind = ToolChoice::Kind;
    const Kind free = has_tools(conversation) ? Kind::automatic : Kind::none;
    if (!body.has("tool_choice")) return {.kind = free};
    const bool named = body.is_object("tool_choice");
    const std::string text = body.is_string("tool_choice") ? *body.string("tool_choice") : "";
    if (text == "none") return {};
    if (!named && text != "auto" && text != "required") {
        body.fail(
            invalid("tool_choice", str("Invalid value for `tool_choice`: ",
                                       text.empty() ? *body.json("tool_choice") : text,
                                       "! Only named tools, \"none\", \"auto\" or \"required\" are "
                                       "supported.")));
        return {};
    }
    // An empty list is sent by agents that have no tools just now.
    const bool given =
        text == "auto" ? body.has("tools") || has_tools(conversation) : !conversation.tools.empty();
    if (!given) {
        body.fail(invalid("tool_choice", "When using `tool_choice`, `tools` must be set."));
        return {};
    }
    if (named) return {.kind = Kind::named, .name = named_tool(body, conversation.tools)};
    return {.kind = text == "required" ? Kind::required : free};
}

void read_output(BodyReader& body, ChatRequest& request) {
    const auto newer = body.integer("max_completion_tokens"), older = body.integer("max_tokens");
    request.max_tokens = newer ? *newer : older.value_or(0);
    if ((newer || older) && request.max_tokens < 1)
        body.fail(invalid(newer ? "max_completion_tokens" : "max_tokens",
                          str("max_tokens must be at least 1, got ", request.max_tokens, ".")));
    request.parallel_tool_calls = body.boolean("parallel_tool_calls").value_or(true);
    request.include_reasoning = body.boolean("include_reasoning").value_or(true);
    request.echo = body.boolean("echo").value_or(false);
    request.add_special_tokens = body.boolean("add_special_tokens").value_or(false);

    const int64_t top = body.integer("top_logprobs").value_or(0);
    if (top < -1)
        body.fail(invalid("top_logprobs", "`top_logprobs` must be a positive value or -1."));
    if (body.boolean("logprobs").value_or(false)) {
        request.logprobs = top;
    } else if (top != 0) {
        body.fail(
            invalid("top_logprobs", "when using `top_logprobs`, `logprobs` must be set to true."));
    }
}

}  // namespace

Conversation read_conversation(BodyReader& body) {
    Conversation conversation;
    if (!body.has("messages")) body.fail(missing("messages"));
    auto messages = body.objects("messages");
    if (messages && messages->empty())
        body.fail(invalid("messages", "messages is empty; send at least one message"));
    if (messages)
        for (BodyReader& message : *messages) {
            conversation.messages.push_back(read_message(message));
            body.adopt(message);
        }
    conversation.tools = read_tools(body);
    conversation.thinking = read_thinking(body);
    conversation.continue_final_message = body.boolean("continue_final_message").value_or(false);
    if (body.boolean("add_generation_prompt").value_or(false) &&
        conversation.continue_final_message)
        body.fail(invalid("continue_final_message",
                          "Cannot set both `continue_final_message` and `add_generation_prompt` to "
                          "True."));
    if (body.has("chat_template"))
        body.fail(invalid("chat_template",
                          "Chat template is passed with request, but "
                          "--trust-request-chat-template is not set. Refused request with "
                          "untrusted chat template."));
    return conversation;
}

std::variant<ChatRequest, RequestError> parse_chat_request(std::string_view text,
                                                           const RequestRules& rules) {
    BodyReader body(text);
    ChatRequest request;
    read_generation(body, rules, request);
    request.conversation = read_conversation(body);
    request.tool_choice = read_tool_choice(body, request.conversation);
    read_output(body, request);
    // What the context has room for is not known yet, and no limit to min_tokens.
    const int64_t asked = request.max_tokens;
    if (asked == 0) request.max_tokens = std::numeric_limits<int64_t>::max();
    check_generation(body, rules, request);
    request.max_tokens = asked;
    if (body.error()) return *body.error();
    settle_generation(request);
    return request;
}

std::optional<RequestError> settle_length(ChatRequest& request, int64_t prompt_tokens,
                                          int64_t max_model_len) {
    if (prompt_tokens >= max_model_len)
        return invalid("messages", str("This model's maximum context length is ", max_model_len,
                                       " tokens. However, your request has ", prompt_tokens,
                                       " input tokens. Please reduce the length of the input "
                                       "messages."));
    const int64_t room = max_model_len - prompt_tokens;
    if (request.max_tokens > room)
        return invalid(
            "max_tokens",
            str("'max_tokens' or 'max_completion_tokens' is too large: ", request.max_tokens,
                ". This model's maximum context length is ", max_model_len,
                " tokens and your request has ", prompt_tokens, " input tokens (",
                request.max_tokens, " > ", max_model_len, " - ", prompt_tokens, ")."));
    if (request.max_tokens == 0) request.max_tokens = room;
    if (request.min_tokens > request.max_tokens)
        return invalid("min_tokens", str("min_tokens must be less than or equal to max_tokens=",
                                         request.max_tokens, ", got ", request.min_tokens, "."));
    return std::nullopt;
}

}  // namespace fathom::api
