#include "text/chat_format.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>

#include "text/python_json.h"
#include "text/tools_prompt.h"

namespace fathom {
namespace {

constexpr std::string_view kBegin = "<｜begin▁of▁sentence｜>";
constexpr std::string_view kEnd = "<｜end▁of▁sentence｜>";
constexpr std::string_view kUser = "<｜User｜>";
constexpr std::string_view kAssistant = "<｜Assistant｜>";
constexpr std::string_view kThink = "<think>";
constexpr std::string_view kThinkEnd = "</think>";

Error refuse(size_t message, const std::string& what) {
    return {Code::invalid_argument, str("messages[", message, "]: ", what)};
}

bool is_user_like(const ChatMessage& message) {
    return message.role == Role::user || message.role == Role::developer;
}

// Whether the message is rendered as a developer's: else it is one of `system`.
bool keeps_developer(ChatFormatOptions::DeveloperRole role, const std::vector<ChatMessage>& all,
                     size_t at) {
    using DeveloperRole = ChatFormatOptions::DeveloperRole;
    if (role != DeveloperRole::automatic) return role == DeveloperRole::official;
    return std::none_of(all.begin() + static_cast<int64_t>(at) + 1, all.end(), is_user_like);
}

// Of the results behind message `calls_at`, the order in which they are shown: that of the calls
// where each has one with its id, else as they came.
std::vector<size_t> order_of_results(const std::vector<ChatMessage>& messages, size_t calls_at) {
    const std::vector<ToolCall>& calls = messages[calls_at].tool_calls;
    std::vector<size_t> as_sent, by_call;
    std::unordered_map<std::string_view, size_t> by_id;
    for (size_t i = calls_at + 1; i <= calls_at + calls.size(); ++i) {
        as_sent.push_back(i);
        by_id.emplace(messages[i].tool_call_id, i);
    }
    for (const ToolCall& call : calls) {
        const auto found = by_id.find(call.id);
        if (found == by_id.end()) return as_sent;
        by_call.push_back(found->second);
        by_id.erase(found);
    }
    return by_call;
}

// Writes one prompt. `ours` is the format's own text, `foreign` what strangers wrote.
class Renderer {
public:
    Renderer(const ChatFormatOptions& options, const Conversation& conversation)
        : options_(options), thinking_(conversation.thinking), messages_(conversation.messages) {
        for (size_t i = 0; i < messages_.size(); ++i)
            if (messages_[i].role == Role::developer &&
                !keeps_developer(options.developer_role, conversation.messages, i))
                messages_[i].role = Role::system;
        for (size_t i = 0; i < messages_.size(); ++i)
            if (is_user_like(messages_[i])) last_user_ = static_cast<int64_t>(i);
        continues_ = !messages_.empty() && messages_.back().role == Role::assistant &&
                     (messages_.back().prefix || conversation.continue_final_message);
    }

    Result<ChatPrompt> render(const std::vector<Tool>& tools) {
        ours(kBegin);
        // The request's tools belong to the system message in front, one without content where
        // there is none.
        const bool with_first = options_.tools_prompt == ChatFormatOptions::ToolsPrompt::official &&
                                !messages_.empty() && messages_[0].role == Role::system;
        if (with_first) {
            std::vector<Tool>& first = messages_[0].tools;
            first.insert(first.end(), tools.begin(), tools.end());
        } else {
            write_tools(tools);
        }
        for (size_t i = 0; i < messages_.size();) {
            const size_t run = messages_[i].role == Role::tool ? results_from(i) : 1;
            if (std::optional<Error> error =
                    messages_[i].role == Role::tool ? write_results(i, run) : write(i))
                return *std::move(error);
            i += run;
        }
        return std::move(prompt_);
    }

private:
    void ours(std::string_view text) {
        prompt_.text += text;
        prompt_.in_reasoning = text == kThink;
    }

    void foreign(std::string_view text) {
        if (text.empty()) return;
        const size_t begin = prompt_.text.size();
        prompt_.text += text;
        prompt_.in_reasoning = false;
        if (!prompt_.foreign.empty() && prompt_.foreign.back().end == begin)
            prompt_.foreign.back().end = prompt_.text.size();
        else
            prompt_.foreign.push_back({begin, prompt_.text.size()});
    }

    void write_tools(std::span<const Tool> tools) {
        if (tools.empty()) return;
        const bool official = options_.tools_prompt == ChatFormatOptions::ToolsPrompt::official;
        ours("\n\n");
        ours(official ? tools_prompt() : tools_prompt_vllm());
        for (const Tool& tool : tools) {
            foreign(tool.function);
            ours("\n");
        }
        ours(kToolsPromptEnd);
    }

    void write_response_format(const std::string& json) {
        if (json.empty()) return;
        ours(
            "\n\n## Response Format:\n\n"
            "You MUST strictly adhere to the following schema to reply:\n");
        foreign(json);
    }

    bool thinks_behind(size_t i) const {
        return thinking_ && static_cast<int64_t>(i) >= last_user_;
    }

    // Where the reply to a user or a result begins.
    void write_think_tag(bool thinks) { ours(thinks ? kThink : kThinkEnd); }

    std::optional<Error> write(size_t i) {
        const ChatMessage& message = messages_[i];
        switch (message.role) {
            case Role::system:
                foreign(message.content);
                write_tools(message.tools);
                write_response_format(message.response_format);
                return std::nullopt;
            case Role::developer:
                if (message.content.empty())
                    return refuse(i, "a developer message has no content; say what is to be done");
                ours(kUser);
                write_tools(message.tools);
                write_response_format(message.response_format);
                ours("\n\n# The user's message is: ");
                break;
            case Role::user: ours(kUser); break;
            case Role::assistant: return write_assistant(i);
            case Role::tool: CHECK(false, "results are written as a run");
        }
        foreign(message.content);
        ours(kAssistant);
        write_think_tag(thinks_behind(i));
        return std::nullopt;
    }

    std::optional<Error> write_assistant(size_t i) {
        const ChatMessage& message = messages_[i];
        const bool continued = continues_ && i + 1 == messages_.size();
        if (continued && !message.tool_calls.empty())
            return refuse(i,
                          "a message with tool_calls cannot be continued; send it without "
                          "prefix and continue_final_message");
        if (thinking_ && static_cast<int64_t>(i) > last_user_) {
            if (message.reasoning.empty() && message.tool_calls.empty() && !continued)
                return refuse(i,
                              "while thinking, an assistant message behind the last user "
                              "message has neither reasoning nor tool_calls; send its "
                              "reasoning, or turn thinking off");
            // Nothing to go on from: the thought itself is still to come.
            if (continued && message.reasoning.empty() && message.content.empty())
                return std::nullopt;
            foreign(message.reasoning);
            ours(kThinkEnd);
        }
        foreign(message.content);
        if (!message.tool_calls.empty()) {
            ours("\n\n<｜DSML｜function_calls>\n");
            for (const ToolCall& call : message.tool_calls)
                if (std::optional<Error> error = write_call(i, call)) return error;
            ours("</｜DSML｜function_calls>");
        }
        if (!continued) ours(kEnd);
        return std::nullopt;
    }

    std::optional<Error> write_call(size_t i, const ToolCall& call) {
        PythonValue arguments{.kind = PythonValue::Kind::object};
        if (!call.arguments.empty()) {
            Result<PythonValue> parsed = python_loads(call.arguments);
            if (!parsed.ok())
                return refuse(i, str("the arguments of the call of \"", call.name, "\" are ",
                                     parsed.error().message, "; send a JSON object"));
            if (!parsed.value().is(PythonValue::Kind::null)) arguments = std::move(parsed).value();
        }
        if (!arguments.is(PythonValue::Kind::object))
            return refuse(i, str("the arguments of the call of \"", call.name,
                                 "\" are no JSON object; send one, {} for none"));
        ours("<｜DSML｜invoke name=\"");
        foreign(call.name);
        ours("\">\n");
        for (size_t k = 0; k < arguments.keys.size(); ++k) {
            const PythonValue& value = arguments.items[k];
            const bool string = value.is(PythonValue::Kind::string);
            ours(k > 0 ? "\n<｜DSML｜parameter name=\"" : "<｜DSML｜parameter name=\"");
            foreign(arguments.keys[k]);
            ours(string ? "\" string=\"true\">" : "\" string=\"false\">");
            foreign(string ? value.text : python_dumps(value));
            ours("</｜DSML｜parameter>");
        }
        ours("\n</｜DSML｜invoke>\n");
        return std::nullopt;
    }

    // How many tool messages follow each other from here on.
    size_t results_from(size_t i) const {
        size_t end = i;
        while (end < messages_.size() && messages_[end].role == Role::tool) ++end;
        return end - i;
    }

    std::optional<Error> write_results(size_t first, size_t results) {
        if (first == 0 || messages_[first - 1].role != Role::assistant ||
            messages_[first - 1].tool_calls.empty())
            return refuse(first,
                          "No tool calls but found tool output: a tool message follows an "
                          "assistant message with tool_calls, or another result of it");
        const size_t calls = messages_[first - 1].tool_calls.size();
        if (results > calls)
            return refuse(first + calls, str("No tool calls but found tool output: result ",
                                             calls + 1, " of ", calls, " calls"));
        if (results < calls)
            return refuse(first - 1, str(results, " of ", calls, " tool calls have results; send ",
                                         "one tool message for each"));
        ours("\n\n<function_results>");
        for (const size_t i : order_of_results(messages_, first - 1)) {
            ours("\n<result>");
            foreign(messages_[i].content);
            ours("</result>");
        }
        ours("\n</function_results>\n\n");
        write_think_tag(thinks_behind(first + results - 1));
        return std::nullopt;
    }

    const ChatFormatOptions options_;
    const bool thinking_;
    std::vector<ChatMessage> messages_;  // developers that are none have become system
    int64_t last_user_ = -1;             // the last user or developer
    bool continues_ = false;             // the reply goes on from the last message
    ChatPrompt prompt_;
};

}  // namespace

Result<ChatPrompt> ChatFormat::render(const Conversation& conversation) const {
    if (conversation.messages.empty())
        return Error{Code::invalid_argument, "messages is empty; send at least one message"};
    if (conversation.continue_final_message && conversation.messages.back().role != Role::assistant)
        return refuse(conversation.messages.size() - 1,
                      "continue_final_message goes on from an assistant message, and the last one "
                      "is none; end with it or leave the field out");
    return Renderer(options_, conversation).render(conversation.tools);
}

std::vector<Token> ChatFormat::encode(const Tokenizer& tokenizer, const ChatPrompt& prompt) const {
    return tokenizer.encode(prompt.text, {.plain = prompt.foreign});
}

}  // namespace fathom
