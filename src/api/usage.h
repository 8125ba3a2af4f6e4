#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fathom::api {

// What an answer cost, in tokens.
struct Usage {
    int64_t prompt_tokens = 0;  // Each prompt once, whatever n.
    int64_t completion_tokens = 0;
    // Written only when set: what the prefix cache had, and what of the output was thought.
    std::optional<int64_t> cached_tokens, reasoning_tokens;
};

// {"prompt_tokens":...,"total_tokens":...,"completion_tokens":...}; details_always: whole answers
// write "prompt_tokens_details":null, too.
std::string usage_json(const Usage& usage, bool details_always);

}  // namespace fathom::api
