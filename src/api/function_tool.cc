#include "api/function_tool.h"

#include <algorithm>

#include "api/text_parts.h"
#include "text/json_value.h"
#include "text/python_json.h"

namespace fathom::api {

Tool read_function_tool(BodyReader& tool, const char* schema) {
    Tool out{.name = required_string(tool, "name"),
             .strict = tool.boolean("strict").value_or(false)};
    const std::string name = tool.prefix() + "name";
    if (out.name.empty()) tool.fail(invalid(name, str(name, " is empty; name the function")));
    std::string function = str(R"({"name":)", json_quoted(out.name));
    if (const auto description = tool.string("description"))
        function += str(R"(,"description":)", json_quoted(*description));
    if (auto parameters = tool.object(schema)) {
        out.parameters = parameters->json();
        function += str(R"(,"parameters":)", out.parameters);
        tool.adopt(*parameters);
    }
    const auto as_python = [&](std::string_view json) {
        Result<std::string> text = python_json(json);
        if (text.ok()) return std::move(text).value();
        tool.fail(invalid(place_of(tool), str(place_of(tool), ": ", text.error().message)));
        return std::string();
    };
    out.function = as_python(function + "}");
    if (!out.parameters.empty()) out.parameters = as_python(out.parameters);
    return out;
}

void check_tool_choice(BodyReader& body, const ToolChoice& choice, const std::vector<Tool>& tools) {
    using Kind = ToolChoice::Kind;
    if (choice.kind == Kind::none || choice.kind == Kind::automatic) return;
    if (tools.empty())
        body.fail(invalid("tool_choice", "When using `tool_choice`, `tools` must be set."));
    else if (choice.kind == Kind::named &&
             std::ranges::none_of(tools, [&](const Tool& t) { return t.name == choice.name; }))
        body.fail(invalid("tool_choice",
                          str("The tool specified in `tool_choice`, ", json_quoted(choice.name),
                              ", does not match any of the specified `tools`")));
}

std::optional<bool> read_thinking_kwargs(BodyReader& body) {
    std::optional<BodyReader> kwargs = body.object("chat_template_kwargs");
    if (!kwargs) return std::nullopt;
    std::optional<bool> thinking;
    if (kwargs->has("thinking") || kwargs->has("enable_thinking"))
        thinking = !kwargs->is_off("thinking") || !kwargs->is_off("enable_thinking");
    body.adopt(*kwargs);
    return thinking;
}

void check_one_message(BodyReader& body, const ChatRequest& request) {
    if (request.n > 1)
        body.fail(invalid("n", str("n must be 1, got ", request.n,
                                   ": an answer of this endpoint is one message")));
    for (const char* field : {"prompt_logprobs", "return_token_ids"})
        if (!body.is_off(field))
            body.fail(invalid(field, str("`", field, "` has no place in this endpoint's answers; ",
                                         "use /v1/chat/completions")));
}

}  // namespace fathom::api
