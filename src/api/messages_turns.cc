#include "api/messages_turns.h"

#include "api/generation_request.h"
#include "api/text_parts.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

// Claude Code's first block says who pays, with a number that is another in each request: it would
// keep the prefix cache from ever finding a prompt again.
bool is_billing_note(const std::string& text) {
    return text.starts_with("x-anthropic-billing-header:");
}

std::string read_system(BodyReader& body) {
    if (!body.is_array("system")) return body.string("system").value_or("");
    std::string text;
    auto blocks = body.objects("system");
    if (!blocks) return text;
    for (BodyReader& block : *blocks) {
        const std::string type = required_string(block, "type");
        if (type != "text")
            block.fail(invalid(block.prefix() + "type",
                               str(place_of(block), " is of type ", json_quoted(type),
                                   "; the system prompt is made of text blocks")));
        const std::string words = required_string(block, "text");
        if (!is_billing_note(words)) append_text(text, words);
        body.adopt(block);
    }
    return text;
}

// The turns of one conversation, as they are added.
class Turns {
public:
    explicit Turns(std::string system) {
        if (!system.empty())
            messages_.push_back({.role = Role::system, .content = std::move(system)});
    }

    void read(BodyReader& message) {
        const std::string role = required_string(message, "role");
        if (role == "system") return add_reminder(read_text(message, "content", {"text"}));
        const bool of_user = role == "user";
        if (!of_user && role != "assistant") {
            message.fail(invalid(message.prefix() + "role",
                                 str(place_of(message), " has the role ", json_quoted(role),
                                     "; use user or assistant")));
            return;
        }
        if (of_user) begin_user();
        if (!of_user) begin_assistant();
        if (!message.is_array("content")) {
            append_text(text(), required_string(message, "content"));
            return;
        }
        auto blocks = message.objects("content");
        if (!blocks) return;
        for (BodyReader& block : *blocks) {
            of_user ? read_user_block(block) : read_assistant_block(block);
            message.adopt(block);
        }
    }

    std::vector<ChatMessage> take() {
        end_user();
        return std::move(messages_);
    }

private:
    void begin_user() { in_user_ = true; }

    void end_user() {
        // A turn of nothing but results has no text; one of nothing at all is an empty question.
        if (in_user_ && (!user_text_.empty() || !has_results_))
            messages_.push_back({.role = Role::user, .content = std::move(user_text_)});
        user_text_.clear();
        in_user_ = has_results_ = false;
    }

    void begin_assistant() {
        end_user();
        if (messages_.empty() || messages_.back().role != Role::assistant)
            messages_.push_back({.role = Role::assistant});
    }

    std::string& text() { return in_user_ ? user_text_ : messages_.back().content; }

    // Agents put reminders of the system behind results. There they stay: a message of its own
    // would end the turn, and with it the thoughts between its calls.
    void add_reminder(const std::string& words) {
        const bool is_first =
            !in_user_ && (messages_.empty() || messages_.back().role == Role::system);
        if (is_first) {
            if (messages_.empty()) messages_.push_back({.role = Role::system});
            append_text(messages_.back().content, words);
        } else if (in_user_ && has_results_ && user_text_.empty()) {
            append_text(messages_.back().content, words);
        } else {
            begin_user();
            append_text(user_text_, words);
        }
    }

    void refuse(BodyReader& block, const std::string& type, const char* instead) {
        block.fail(invalid(block.prefix() + "type",
                           str(place_of(block), " is of type ", json_quoted(type), "; ", instead)));
    }

    void read_user_block(BodyReader& block) {
        const std::string type = required_string(block, "type");
        if (type == "text")
            append_text(user_text_, required_string(block, "text"));
        else if (type == "tool_result")
            read_result(block);
        else
            refuse(block, type, "the model reads text and tool_result blocks of the user");
    }

    void read_result(BodyReader& block) {
        std::string id = required_string(block, "tool_use_id");
        std::string content = read_text(block, "content", {"text"});
        const bool failed = block.boolean("is_error").value_or(false);
        // The prompt has no mark for a call that failed.
        if (failed && !content.starts_with("Error")) content.insert(0, "Error: ");
        messages_.push_back(
            {.role = Role::tool, .content = std::move(content), .tool_call_id = std::move(id)});
        has_results_ = true;
    }

    void read_assistant_block(BodyReader& block) {
        ChatMessage& message = messages_.back();
        const std::string type = required_string(block, "type");
        if (type == "text") {
            append_text(message.content, required_string(block, "text"));
        } else if (type == "thinking") {
            append_text(message.reasoning, required_string(block, "thinking"), "\n\n");
        } else if (type == "tool_use") {
            message.tool_calls.push_back({.id = required_string(block, "id"),
                                          .name = required_string(block, "name"),
                                          .arguments = read_input(block)});
        } else if (type != "redacted_thinking") {  // Which nobody here can read.
            refuse(block, type,
                   "the model reads text, thinking and tool_use blocks of the assistant");
        }
    }

    static std::string read_input(BodyReader& block) {
        std::optional<BodyReader> input = block.object("input");
        if (!input) return "{}";
        block.adopt(*input);
        return input->json();
    }

    std::vector<ChatMessage> messages_;
    // The user's turn under way: its results are messages already, its text is not.
    bool in_user_ = false, has_results_ = false;
    std::string user_text_;
};

}  // namespace

std::vector<ChatMessage> read_messages_turns(BodyReader& body) {
    Turns turns(read_system(body));
    if (body.is_off("messages"))
        body.fail(invalid("messages", "messages: Field required; send at least one message"));
    auto list = body.objects("messages");
    if (!list) return {};
    for (BodyReader& message : *list) {
        turns.read(message);
        body.adopt(message);
    }
    return turns.take();
}

}  // namespace fathom::api
