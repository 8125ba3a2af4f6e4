#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/token.h"
#include "text/conversation.h"
#include "text/tokenizer.h"

namespace fathom {

// A piece of a chat reply. The texts of one kind (and of one call) follow each other without gap.
struct ReplyPiece {
    enum class Kind : uint8_t {
        reasoning,       // text: a piece of the thought
        content,         // text: a piece of the answer
        call_begin,      // text: the function's name; call: its index
        call_arguments,  // text: a piece of the JSON object with the arguments of `call`
    };
    Kind kind = Kind::content;
    std::string text;
    int call = -1;

    bool operator==(const ReplyPiece&) const = default;
};

struct ReplyParserOptions {
    bool in_reasoning = false;      // The prompt ended in <think> (ChatPrompt::in_reasoning).
    bool parse_calls = false;       // DSML blocks become calls.
    std::vector<Tool> tools;        // Their schemas give arguments their types.
    std::vector<std::string> stop;  // None empty; matched over the whole raw reply.
    bool include_stop_str_in_output = false;
    bool skip_special_tokens = true;  // The end token is never shown.
};

// Reads the tokens of one chat reply as they come: text, stop strings, the thought, DSML tool
// calls. For one reply, all pieces together do not depend on how tokens are cut into pushes. Rules:
// DeepSeek's parse_message_from_completion_text, and docs/chat.md.
class ReplyParser {
public:
    // The tokenizer must outlive this.
    ReplyParser(const Tokenizer& tokenizer, ReplyParserOptions options);
    ~ReplyParser();
    ReplyParser(ReplyParser&&) noexcept;

    // Takes a token; appends what is certain now. With may_stop false (fewer than min_tokens have
    // come) no stop string ends here. REQUIRES: not stopped().
    void push(Token token, bool may_stop, std::vector<ReplyPiece>& pieces);
    // The end of the reply: what was held back. A call that was begun is closed to valid JSON.
    void finish(std::vector<ReplyPiece>& pieces);

    const std::optional<std::string>& stopped() const;  // The stop string that ended the reply.
    int calls() const;                                  // Begun so far.
    // Before finish(), which closes it: the last call has begun, and its end has not come.
    bool call_open() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom
