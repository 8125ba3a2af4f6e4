#include "server/api_flags.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace fathom {
namespace {

using Json = nlohmann::json;

// vLLM's parsers that read the thinking of DeepSeek-V3.2: <think> only where the prompt asks.
constexpr const char* kReasoningParsers[] = {"deepseek_v3", "deepseek_v31", "deepseek_v32"};

Error usage(std::string message) { return Error{Code::invalid_argument, std::move(message)}; }

Status check_parsers(const ApiFlags& f) {
    const std::string &tools = f.tool_call_parser, &reasoning = f.reasoning_parser;
    if (!tools.empty() && tools != "deepseek_v32")
        return usage(str("--tool-call-parser ", tools,
                         " reads the calls of another model; DeepSeek-V3.2 writes deepseek_v32"));
    if (!reasoning.empty() &&
        std::ranges::find(kReasoningParsers, reasoning) == std::end(kReasoningParsers))
        return usage(str("--reasoning-parser ", reasoning,
                         " reads the thinking of another model; DeepSeek-V3.2 takes deepseek_v3"));
    if (f.enable_auto_tool_choice && tools.empty())
        return usage("--enable-auto-tool-choice needs --tool-call-parser deepseek_v32");
    return Unit{};
}

// vLLM's profiler config: which profiler, and where its traces go.
Status read_profiler(const std::string& text, ApiFlags& f) {
    if (text.empty()) return Unit{};
    const Json config = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    const Json profiler = config.value("profiler", Json());
    if (profiler.is_null()) return Unit{};
    if (profiler != "torch")
        return usage(str("--profiler-config: profiler ", profiler.dump(),
                         " is not built; \"torch\" stands for the one here, whose traces Perfetto "
                         "reads"));
    const Json folder = config.value("torch_profiler_dir", Json("vllm_profile"));
    if (!folder.is_string() || folder.get<std::string>().empty())
        return usage(str("--profiler-config: torch_profiler_dir ", folder.dump(),
                         " is not a folder's name"));
    if (f.profile_dir.empty()) f.profile_dir = folder.get<std::string>();
    return Unit{};
}

}  // namespace

void add_api_flags(FlagList& o, ApiFlags& f, ApiFlagWords& w) {
    o.toggle("accept-any-model", f.accept_any_model, "serve requests for models of any name");
    o.toggle("enable-auto-tool-choice", f.enable_auto_tool_choice, "the model may choose to call");
    o.text("tool-call-parser", f.tool_call_parser, "how calls are read: deepseek_v32");
    o.text("reasoning-parser", f.reasoning_parser, "how thinking is read: deepseek_v3");
    o.toggle("exclude-tools-when-tool-choice-none", f.exclude_tools_when_tool_choice_none,
             "tools that may not be called are not in the prompt");
    o.text("response-role", f.response_role, "the role in answers of chats");
    o.choice("tools-prompt-style", w.tools_prompt, {"official", "vllm"},
             "how tools are told to the model: as it was trained, or in vLLM's words");
    o.choice("developer-role", w.developer_role, {"auto", "official", "system"},
             "how messages of the developer are rendered");
    o.choice("add-bos", w.add_bos, {"auto", "always", "never"},
             "whether a text prompt begins with BOS; auto: as tokenizer_config.json says");
    o.integer("max-logprobs", f.max_logprobs, -1, 1 << 20,
              "logprobs that a request may ask for; -1 is no limit");
    o.toggle("return-tokens-as-token-ids", f.return_tokens_as_token_ids,
             "tokens of logprobs are written as token_id:ID");
    o.toggle("enable-prompt-tokens-details", f.enable_prompt_tokens_details,
             "usage says how many prompt tokens were cached");
    o.toggle("enable-force-include-usage", f.enable_force_include_usage,
             "streams end with usage, asked for or not");
    o.toggle("enable-tokenizer-info-endpoint", f.enable_tokenizer_info_endpoint,
             "GET /tokenizer_info answers");
    o.toggle("enable-server-load-tracking", f.enable_server_load_tracking,
             "GET /load counts the requests under way");
    o.toggle("enable-log-requests", f.enable_log_requests,
             "a line per request: its id and its numbers, never its text");
    o.text("generation-config", f.generation_config,
           "sampling defaults: auto (the checkpoint's), vllm (none), or a folder");
    o.json("override-generation-config", f.override_generation_config,
           "sampling defaults that go before those");
    o.choice("scheduling-policy", w.scheduling_policy, {"fcfs", "priority"},
             "order of those that wait: as they came, or by their priority");
    o.text("profile-dir", f.profile_dir, "folder for the traces of /start_profile, /stop_profile");
    o.json("profiler-config", w.profiler_config,
           "the same as vLLM writes it: {\"profiler\":\"torch\",\"torch_profiler_dir\":FOLDER}");
}

Status settle_api_flags(const ApiFlagWords& w, ApiFlags& f) {
    using Chat = ChatFormatOptions;
    f.chat.tools_prompt =
        w.tools_prompt == "vllm" ? Chat::ToolsPrompt::vllm : Chat::ToolsPrompt::official;
    f.chat.developer_role = w.developer_role == "official" ? Chat::DeveloperRole::official
                            : w.developer_role == "system" ? Chat::DeveloperRole::system
                                                           : Chat::DeveloperRole::automatic;
    f.add_bos = w.add_bos == "always"  ? ApiFlags::AddBos::always
                : w.add_bos == "never" ? ApiFlags::AddBos::never
                                       : ApiFlags::AddBos::automatic;
    f.priority_scheduling = w.scheduling_policy == "priority";
    if (f.response_role.empty()) return usage("--response-role: a role has a name");
    if (Status status = check_parsers(f); !status.ok()) return status;
    return read_profiler(w.profiler_config, f);
}

}  // namespace fathom
