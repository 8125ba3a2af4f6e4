#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "text/conversation.h"
#include "text/tokenizer.h"

namespace fathom {

// Where the text of a request's `tools` goes, and how developer messages are read: DeepSeek's own
// encoder, or what other servers do.
struct ChatFormatOptions {
    enum class ToolsPrompt { official, vllm } tools_prompt = ToolsPrompt::official;
    // automatic: as a user's message where it is the last of those, as `system` elsewhere.
    enum class DeveloperRole {
        automatic,
        official,
        system
    } developer_role = DeveloperRole::automatic;
};

// A prompt as text, and what of it was written by strangers.
struct ChatPrompt {
    std::string text;
    std::vector<TextSpan> foreign;  // Ascending, disjoint: contents, names, values, results.
    bool in_reasoning = false;      // The reply begins inside <think>.
};

// DeepSeek-V3.2's chat encoding, byte for byte. Source: encoding/encoding_dsv32.py of the
// checkpoint.
class ChatFormat {
public:
    explicit ChatFormat(ChatFormatOptions options = {}) : options_(options) {}

    // invalid_argument, one sentence: what the conversation lacks (no messages, a tool result
    // without a call, ...).
    Result<ChatPrompt> render(const Conversation& conversation) const;

    // The prompt's tokens; begins with one begin-of-sentence token.
    std::vector<Token> encode(const Tokenizer& tokenizer, const ChatPrompt& prompt) const;

private:
    const ChatFormatOptions options_;
};

}  // namespace fathom
