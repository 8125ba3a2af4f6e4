#include "api/usage.h"

#include "base/check.h"

namespace fathom::api {

std::string usage_json(const Usage& usage, bool details_always) {
    std::string out = str(R"({"prompt_tokens":)", usage.prompt_tokens, R"(,"total_tokens":)",
                          usage.prompt_tokens + usage.completion_tokens, R"(,"completion_tokens":)",
                          usage.completion_tokens);
    if (usage.cached_tokens)
        out += str(R"(,"prompt_tokens_details":{"cached_tokens":)", *usage.cached_tokens, "}");
    else if (details_always)
        out += R"(,"prompt_tokens_details":null)";
    if (usage.reasoning_tokens)
        out += str(R"(,"completion_tokens_details":{"reasoning_tokens":)", *usage.reasoning_tokens,
                   "}");
    return out += '}';
}

}  // namespace fathom::api
