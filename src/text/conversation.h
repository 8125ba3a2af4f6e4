#pragma once

#include <string>
#include <vector>

namespace fathom {

// A chat as plain values: what the JSON of three APIs is read into, and what the V3.2 prompt is
// written from. JSON inside is text as Python's json.dumps(ensure_ascii=False) writes it, the keys
// in the client's order (text/python_json.h).

// A function that the model may call.
struct Tool {
    std::string name;
    std::string function;    // The whole function object, as it stands in the prompt.
    std::string parameters;  // Its JSON schema; empty: none was given.
    bool strict = false;     // Arguments are held to the schema while decoding.
};

// A call that the model made.
struct ToolCall {
    std::string id;
    std::string name;
    std::string arguments;  // A JSON object.
};

enum class Role { system, user, assistant, tool, developer };

struct ChatMessage {
    Role role = Role::user;
    std::string content;
    std::string reasoning;             // assistant
    std::vector<ToolCall> tool_calls;  // assistant
    bool prefix = false;               // assistant, last: the reply goes on from here
    std::string tool_call_id;          // tool
    std::vector<Tool> tools;           // system, developer
    std::string response_format;       // system, developer: JSON; empty: none
};

struct Conversation {
    std::vector<ChatMessage> messages;
    std::vector<Tool> tools;  // Of the request; rendered with the first system message.
    bool thinking = false;
    bool continue_final_message = false;  // As `prefix` on the last message.
};

}  // namespace fathom
