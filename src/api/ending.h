#pragma once

#include <string>
#include <variant>

#include "base/token.h"

namespace fathom::api {

// The stop string, or the id of stop_token_ids, that ended a choice; else nothing.
using StopReason = std::variant<std::monostate, std::string, Token>;

// Why a choice ended. Empty: it goes on.
struct Ending {
    std::string finish_reason;  // "stop", "length", "tool_calls", ...
    StopReason stop_reason;
};

// "finish_reason":...,"stop_reason":...
std::string ending_json(const Ending& ending);

}  // namespace fathom::api
