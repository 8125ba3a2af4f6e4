#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/token_constraint.h"
#include "text/conversation.h"
#include "text/tokenizer.h"

namespace fathom {

// What the text of a reply must be.
struct GrammarSpec {
    enum class Kind {
        json_object,  // any JSON object
        json_schema,  // text: a JSON schema
        regex,        // text: a regular expression over the whole reply
        choice,       // choices: one of them
        ebnf,         // text: a grammar in xgrammar's EBNF (GBNF), rule `root`
        calls,        // a DSML block that calls `tools`; text: a JSON schema that a reply without
                      // calls is held to, empty where it must call
    };
    Kind kind = Kind::json_object;
    std::string text;
    std::vector<std::string> choices;

    // calls: at least one call of these functions, arguments held to their schemas where a tool is
    // strict (to any JSON elsewhere).
    std::vector<Tool> tools;
    bool single_call = false;  // Exactly one (parallel_tool_calls false, a named function).
    // auto with strict tools: text is free until a block begins, and the block is held to `tools`.
    bool free_text_before = false;
};

// Grammars compiled against the tokenizer's vocabulary, and the constraints made of them. Compiling
// takes up to a second: on a worker, never on the I/O or engine thread. Results are cached; the
// cache is bounded in bytes. Any thread.
class GrammarCompiler {
public:
    // end_tokens: may come only where the grammar is complete. The tokenizer must outlive this.
    // vocab_size: the model's.
    GrammarCompiler(const Tokenizer& tokenizer, std::vector<Token> end_tokens, int64_t vocab_size);
    ~GrammarCompiler();

    // A constraint at the beginning of a reply. With think_end it holds only behind that token: the
    // thought before it is free (end tokens excepted). It must not outlive this. invalid_argument,
    // one sentence that names the place: a schema, expression or grammar that cannot be compiled,
    // or would take more than a few seconds, or whose masks would hold the engine up.
    Result<std::unique_ptr<TokenConstraint>> compile(const GrammarSpec& spec,
                                                     std::optional<Token> think_end);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom
