// Chats: the first byte chooses thinking and the options, lines are messages ("u hello", "a
// answer", "c NAME {arguments}" a call of the message before, "t result", ...). Whatever is in
// them: a prompt whose own words are those of the format and whose tokens are its text, or one
// sentence.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "text/chat_format.h"
#include "text/python_json.h"
#include "text/utf8.h"

namespace fathom {
namespace {

const Tokenizer& small_tokenizer() {
    static const Tokenizer kSmall = [] {
        return Tokenizer::open(FATHOM_SOURCE_DIR "/tests/golden/tokenizer/small").value();
    }();
    return kSmall;
}

void read_line(std::string_view line, Conversation& chat) {
    std::vector<ChatMessage>& messages = chat.messages;
    const std::string text(line.substr(std::min<size_t>(line.size(), 2)));
    ChatMessage* last = messages.empty() ? nullptr : &messages.back();
    switch (line.empty() ? ' ' : line[0]) {
        case 's': messages.push_back({.role = Role::system, .content = text}); break;
        case 'u': messages.push_back({.role = Role::user, .content = text}); break;
        case 'a': messages.push_back({.role = Role::assistant, .content = text}); break;
        case 'd': messages.push_back({.role = Role::developer, .content = text}); break;
        case 't':
            messages.push_back({.role = Role::tool, .content = "r", .tool_call_id = text});
            break;
        case 'r':
            if (last) last->reasoning = text;
            break;
        case 'f':
            if (last) last->response_format = text;
            break;
        case 'p':
            if (last) last->prefix = true;
            break;
        case 'c':
            if (last) last->tool_calls.push_back({.id = text.substr(0, 1), .arguments = text});
            break;
        case 'T': chat.tools.push_back({.function = text}); break;
        default:
            if (last) last->tools.push_back({.function = text});
    }
}

void check_prompt(const ChatFormat& format, const ChatPrompt& prompt) {
    size_t done = 0;
    for (const TextSpan& span : prompt.foreign) {
        CHECK(done <= span.begin && span.begin < span.end && span.end <= prompt.text.size(),
              span.begin);
        done = span.end;
    }
    CHECK(!prompt.in_reasoning || prompt.text.ends_with("<think>"), prompt.text);
    const Tokenizer& tokenizer = small_tokenizer();
    const std::vector<Token> tokens = format.encode(tokenizer, prompt);
    CHECK(tokenizer.decode(tokens) == prompt.text, prompt.text);
    CHECK(tokens[0] == tokenizer.bos(), tokens[0]);
    size_t at = 0, span = 0;
    for (const Token token : tokens) {
        const std::string_view bytes = tokenizer.token_bytes(token);
        while (span < prompt.foreign.size() && prompt.foreign[span].end <= at) ++span;
        if (tokenizer.added_token(bytes) == token)
            CHECK(span == prompt.foreign.size() || at + bytes.size() <= prompt.foreign[span].begin,
                  "a stranger wrote ", bytes);
        at += bytes.size();
    }
}

}  // namespace
}  // namespace fathom

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
    using namespace fathom;
    if (size == 0) return 0;
    std::string_view data(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    const unsigned flags = bytes[0];
    if (Result<std::string> json = python_json(data); json.ok()) {
        CHECK(python_json(json.value()).value() == json.value(), json.value());
        CHECK(to_valid_utf8(json.value()) == json.value(), "no UTF-8");
    }
    Conversation chat;
    chat.thinking = (flags & 1) != 0;
    chat.continue_final_message = (flags & 2) != 0;
    while (!data.empty()) {
        const std::string_view line = data.substr(0, data.find('\n'));
        read_line(line, chat);
        data.remove_prefix(std::min(line.size() + 1, data.size()));
    }
    using Options = ChatFormatOptions;
    const ChatFormat format(
        {.tools_prompt =
             (flags & 8) != 0 ? Options::ToolsPrompt::vllm : Options::ToolsPrompt::official,
         .developer_role = static_cast<Options::DeveloperRole>((flags >> 4) % 3)});
    Result<ChatPrompt> prompt = format.render(chat);
    if (prompt.ok()) {
        check_prompt(format, prompt.value());
    } else {
        CHECK(prompt.error().code == Code::invalid_argument, prompt.error().message);
        CHECK(prompt.error().message.find("messages") == 0, prompt.error().message);
    }
    return 0;
}
