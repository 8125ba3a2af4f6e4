#include "api/responses_input.h"

#include "api/generation_request.h"
#include "api/text_parts.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

constexpr const char* kParagraph = "\n\n";

std::string read_content(BodyReader& item, const char* field) {
    return read_text(item, field, {"input_text", "output_text", "text", "refusal"});
}

// The items of one input, as they are added.
class InputItems {
public:
    void read(BodyReader& item) {
        const bool is_message = !item.has("type") && item.has("role");
        const std::string type = is_message ? "message" : required_string(item, "type");
        if (type == "message") return read_message(item);
        if (type == "reasoning") return read_reasoning(item);
        if (type == "function_call") return read_call(item);
        if (type == "function_call_output") return read_result(item);
        item.fail(invalid(item.prefix() + "type",
                          str(place_of(item), " is of type ", json_quoted(type),
                              ", which has no meaning here; send message, reasoning, "
                              "function_call and function_call_output items")));
    }

    std::vector<ChatMessage> take() { return std::move(messages_); }

private:
    bool after_assistant() const {
        return !messages_.empty() && messages_.back().role == Role::assistant;
    }
    // Calls wait for their results, so what stands between them belongs to their message.
    bool calls_wait() const { return after_assistant() && !messages_.back().tool_calls.empty(); }
    bool text_is_next() const { return after_assistant() && messages_.back().content.empty(); }

    ChatMessage& assistant(bool goes_on) {
        if (!goes_on) messages_.push_back({.role = Role::assistant});
        return messages_.back();
    }

    void read_message(BodyReader& item) {
        const std::string role = required_string(item, "role");
        std::string text = read_content(item, "content");
        if (role == "assistant") {
            append_text(assistant(calls_wait() || text_is_next()).content, text, kParagraph);
            return;
        }
        ChatMessage message{.content = std::move(text)};
        if (role == "system") {
            message.role = Role::system;
        } else if (role == "developer") {
            message.role = Role::developer;
        } else if (role != "user") {
            item.fail(invalid(item.prefix() + "role",
                              str(place_of(item), " has the role ", json_quoted(role),
                                  "; use user, assistant, system or developer")));
        }
        messages_.push_back(std::move(message));
    }

    // The whole thought where there is one, else its summary. What is encrypted cannot be read and
    // is passed over.
    void read_reasoning(BodyReader& item) {
        std::string text = read_text(item, "content", {"reasoning_text", "text"});
        if (text.empty()) text = read_text(item, "summary", {"summary_text"});
        if (text.empty()) return;
        append_text(assistant(calls_wait() || text_is_next()).reasoning, text, kParagraph);
    }

    void read_call(BodyReader& item) {
        assistant(after_assistant())
            .tool_calls.push_back({.id = required_string(item, "call_id"),
                                   .name = required_string(item, "name"),
                                   .arguments = required_string(item, "arguments")});
    }

    void read_result(BodyReader& item) {
        std::string id = required_string(item, "call_id");
        messages_.push_back({.role = Role::tool,
                             .content = read_content(item, "output"),
                             .tool_call_id = std::move(id)});
    }

    std::vector<ChatMessage> messages_;
};

}  // namespace

std::vector<ChatMessage> read_responses_input(BodyReader& body) {
    if (body.is_string("input")) return {{.content = *body.string("input")}};
    if (body.is_off("input"))
        body.fail(invalid("input", "input: Field required; send a text or a list of items"));
    InputItems items;
    auto list = body.objects("input");
    if (!list) return {};
    for (BodyReader& item : *list) {
        items.read(item);
        body.adopt(item);
    }
    return items.take();
}

}  // namespace fathom::api
