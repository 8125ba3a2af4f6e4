#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/token.h"
#include "text/conversation.h"

namespace fathom {

// The token that only a tool call has: "<" + it + "function_calls>".
inline constexpr std::string_view kDsml = "｜DSML｜";

struct CallFormatOptions {
    Token dsml = 0;                 // The token of kDsml.
    bool single_call = false;       // Exactly one call; else one or more.
    bool free_text_before = false;  // Any text, and then maybe a block; else "\n\n" and a block.
};

// What a DSML block of calls of these tools looks like, as xgrammar's structural tag (JSON). Where
// the token stands no other spelling of it is allowed. A strict tool's parameters are those of its
// schema in that order, the optional ones may be missing: text raw (string="true"), all else JSON
// (string="false"). Other tools take any parameters.
//
// invalid_argument, one sentence: no tools, or a strict tool whose schema is refused by
// closed_schema() or is no object with named properties.
Result<std::string> call_format(const std::vector<Tool>& tools, CallFormatOptions options);

}  // namespace fathom
