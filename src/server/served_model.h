#pragma once

#include <string>
#include <vector>

#include "api/generation_request.h"
#include "config/args.h"
#include "text/chat_format.h"
#include "text/grammar.h"
#include "text/tokenizer.h"

namespace fathom {

// What the handlers know about the model that is served. Fixed before the first request, read by
// any thread.
struct ServedModel {
    std::vector<std::string> names;  // The first is what answers say.
    std::string path;
    int64_t created = 0;  // Unix time of the start, s.
    const Tokenizer* tokenizer = nullptr;
    GrammarCompiler* grammars = nullptr;
    int64_t vocab_size = 0;  // Of the model; prompts may name these ids.
    int64_t max_model_len = 0;
    api::RequestRules rules;                  // The defaults are generation_config.json's.
    ChatFormatOptions chat;                   // --tools-prompt-style, --developer-role
    std::string response_role = "assistant";  // --response-role
    bool exclude_tools_when_none = false;     // --exclude-tools-when-tool-choice-none
    bool prompt_tokens_details = false;       // --enable-prompt-tokens-details
    bool log_requests = false;                // --enable-log-requests
    bool accept_any = false;                  // --accept-any-model
    bool add_bos = false;  // Whether a text prompt begins with the begin token: --add-bos.

    bool is_served(const std::string& name) const;
    // The tokens of a text prompt; with_bos: begun with the begin token where add_bos wants one
    // and the text has none.
    std::vector<Token> encode(const std::string& text, bool with_bos) const;
};

// The names of --served-model-name; without it the path as given, its last part, and the names that
// tutorials and scripts use.
std::vector<std::string> served_names(const std::vector<std::string>& asked,
                                      const std::string& path);

// temperature, top_p, top_k, min_p, repetition_penalty of FOLDER/generation_config.json where it
// has them; vLLM's defaults where it, or the file, has not, or where `folder` is empty. The object
// `override_json` (empty: nothing) goes before; a field of another name in it is refused.
Result<api::SamplingDefaults> load_sampling_defaults(const std::string& folder,
                                                     const std::string& override_json = "");

// The ids that end a sequence: eos_token_id of generation_config.json (one or several) and of
// config.json. Ids outside the vocabulary are left out: they are never drawn.
Result<std::vector<Token>> load_end_tokens(const std::string& folder, const ModelArgs& args);

}  // namespace fathom
