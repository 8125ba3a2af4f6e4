#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "server/flag_list.h"
#include "text/chat_format.h"

namespace fathom {

// The flags of `fathom serve` about what endpoints accept and answer. Names, meanings and defaults
// are vLLM's where vLLM has the flag.
struct ApiFlags {
    bool accept_any_model = false;  // Whatever name a request gives.

    bool enable_auto_tool_choice = false;
    std::string tool_call_parser;  // "" or "deepseek_v32"
    std::string reasoning_parser;  // "" or one of DeepSeek's, which all read V3.2's thinking alike
    bool exclude_tools_when_tool_choice_none = false;
    std::string response_role = "assistant";
    ChatFormatOptions chat;  // --tools-prompt-style, --developer-role
    enum class AddBos { automatic, always, never } add_bos = AddBos::automatic;

    int64_t max_logprobs = 20;  // -1: no limit
    bool return_tokens_as_token_ids = false;
    bool enable_prompt_tokens_details = false;
    bool enable_force_include_usage = false;
    bool enable_tokenizer_info_endpoint = false;
    bool enable_server_load_tracking = false;
    bool enable_log_requests = false;

    // "auto": generation_config.json of the checkpoint; "vllm": none; else a folder that has one.
    std::string generation_config = "auto";
    std::string override_generation_config;  // A JSON object; empty: nothing.

    bool priority_scheduling = false;  // --scheduling-policy priority
    std::string profile_dir;           // Where traces go; empty: there is no profiler.
};

// What was given as words and becomes something else; lives as long as the list is parsed.
struct ApiFlagWords {
    std::string tools_prompt = "official", developer_role = "auto", add_bos = "auto";
    std::string scheduling_policy = "fcfs", profiler_config;
};

void add_api_flags(FlagList& list, ApiFlags& flags, ApiFlagWords& words);

// After parsing. Errors: invalid_argument, one sentence: a parser of another model, a
// contradiction, a profiler that there is not.
Status settle_api_flags(const ApiFlagWords& words, ApiFlags& flags);

}  // namespace fathom
