// Conversations written as OpenAI's JSON, as in tests/golden/chat, for tests.
#pragma once

#include <filesystem>
#include <string>

#include "base/file.h"
#include "text/conversation.h"
#include "text/python_json.h"

namespace fathom::testing {

inline std::string golden_chat_text(const std::string& name) {
    const auto path = std::filesystem::path(FATHOM_SOURCE_DIR) / "tests/golden/chat" / name;
    Result<std::string> text = read_text(path, 16 << 20);
    CHECK(text.ok(), text.error().message);
    return std::move(text).value();
}

// The member's string; empty where there is none.
inline std::string text_of(const PythonValue& object, const char* key) {
    const PythonValue* member = object.find(key);
    return member == nullptr ? "" : member->text;
}

inline std::string json_of(const PythonValue& object, const char* key) {
    const PythonValue* member = object.find(key);
    return member == nullptr ? "" : python_dumps(*member);
}

inline bool is_true(const PythonValue& object, const char* key) {
    return text_of(object, key) == "true";
}

inline std::vector<Tool> tools_of(const PythonValue& object) {
    std::vector<Tool> tools;
    if (const PythonValue* list = object.find("tools"))
        for (const PythonValue& item : list->items) {
            const PythonValue& function = *item.find("function");
            tools.push_back({.name = text_of(function, "name"),
                             .function = python_dumps(function),
                             .parameters = json_of(function, "parameters"),
                             .strict = is_true(function, "strict")});
        }
    return tools;
}

inline ChatMessage message_of(const PythonValue& object) {
    constexpr const char* kRoles[] = {"system", "user", "assistant", "tool", "developer"};
    ChatMessage message;
    for (int i = 0; i < 5; ++i)
        if (text_of(object, "role") == kRoles[i]) message.role = static_cast<Role>(i);
    message.content = text_of(object, "content");
    message.reasoning = text_of(object, "reasoning_content");
    message.prefix = is_true(object, "prefix");
    message.tool_call_id = text_of(object, "tool_call_id");
    message.tools = tools_of(object);
    message.response_format = json_of(object, "response_format");
    if (const PythonValue* calls = object.find("tool_calls"))
        for (const PythonValue& call : calls->items)
            message.tool_calls.push_back(
                {.id = text_of(call, "id"),
                 .name = text_of(*call.find("function"), "name"),
                 .arguments = text_of(*call.find("function"), "arguments")});
    return message;
}

// REQUIRES: a JSON object with `messages`, and perhaps `tools`, `thinking`,
// `continue_final_message`.
inline Conversation conversation_of(const PythonValue& object) {
    Conversation conversation;
    for (const PythonValue& message : object.find("messages")->items)
        conversation.messages.push_back(message_of(message));
    conversation.tools = tools_of(object);
    conversation.thinking = is_true(object, "thinking");
    conversation.continue_final_message = is_true(object, "continue_final_message");
    return conversation;
}

inline Conversation conversation_of(const std::string& json) {
    Result<PythonValue> value = python_loads(json);
    CHECK(value.ok(), value.error().message, ": ", json);
    return conversation_of(value.value());
}

}  // namespace fathom::testing
