#pragma once

#include <string_view>

namespace fathom {

// What DeepSeek-V3.2 is told about calling functions: stands before their JSON, one object a line.
// Source: TOOLS_SYSTEM_TEMPLATE in encoding/encoding_dsv32.py of the checkpoint.
std::string_view tools_prompt();
// The same lines without the empty ones, as vLLM writes them.
std::string_view tools_prompt_vllm();

// What stands after the JSON.
inline constexpr std::string_view kToolsPromptEnd = "</functions>\n";

}  // namespace fathom
