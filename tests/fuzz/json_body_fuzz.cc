// Bodies of POST /v1/completions: whatever the bytes, a request that keeps the promises of its
// header, or an error that a client can read.
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <variant>

#include "api/completion_request.h"
#include "base/check.h"
#include "text/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace fathom;
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    const auto parsed = api::parse_completion_request(body, {});
    if (const auto* error = std::get_if<api::RequestError>(&parsed)) {
        CHECK(error->status == 400 && !error->message.empty(), error->status);
        const std::string json = api::to_json(*error);
        CHECK(to_valid_utf8(json) == json && json.find('\n') == json.npos, json);
        return 0;
    }
    const auto& r = std::get<api::CompletionRequest>(parsed);
    CHECK(!r.prompts.empty() && r.n >= 1 && r.n <= api::RequestRules().choices_max, r.n);
    const int64_t least = r.echo ? 0 : 1;
    CHECK(r.max_tokens >= least && r.min_tokens >= 0, r.max_tokens);
    CHECK(r.min_tokens <= std::max<int64_t>(r.max_tokens, 1), r.min_tokens);
    CHECK(r.temperature == 0 || r.temperature >= 0.01, r.temperature);
    CHECK(r.top_p > 0 && r.top_p <= 1 && r.top_k >= 0 && r.min_p >= 0 && r.min_p <= 1, r.top_p);
    CHECK(r.repetition_penalty > 0, r.repetition_penalty);
    for (const std::string& stop : r.stop) CHECK(!stop.empty(), "an empty stop string");
    for (const api::Prompt& prompt : r.prompts) {
        if (const auto* ids = std::get_if<std::vector<Token>>(&prompt)) {
            CHECK(!ids->empty(), "a prompt without ids");
            for (const Token id : *ids) CHECK(id >= 0, id);
        } else {
            const std::string& text = std::get<std::string>(prompt);
            CHECK(to_valid_utf8(text) == text, "invalid UTF-8 passed the border");
        }
    }
    return 0;
}
