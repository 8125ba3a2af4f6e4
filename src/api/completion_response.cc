#include "api/completion_response.h"

#include "api/json_text.h"
#include "base/check.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

std::string logprobs_json(const CompletionChoice& choice) {
    if (!choice.logprobs) return "null";
    return completion_logprobs_json(*choice.logprobs, choice.text_offset);
}

// The fields that answers and chunks begin with.
std::string choice_begin(const CompletionChoice& choice) {
    return str(R"({"index":)", choice.index, R"(,"text":)", json_quoted(choice.text),
               R"(,"logprobs":)", logprobs_json(choice), ",", ending_json(choice.ending));
}

}  // namespace

std::string CompletionHead::json() const {
    return str(R"({"id":)", json_quoted(id), R"(,"object":"text_completion","created":)", created,
               R"(,"model":)", json_quoted(model), R"(,"choices":[)");
}

std::string completion_json(const std::string& head, const std::vector<CompletionChoice>& choices,
                            const Usage& usage) {
    std::string out = head;
    for (const CompletionChoice& choice : choices) {
        if (&choice != &choices.front()) out += ',';
        out += choice_begin(choice);
        out += str(R"(,"token_ids":)", token_ids_json(choice.token_ids), R"(,"prompt_logprobs":)",
                   choice.prompt_logprobs ? prompt_logprobs_json(*choice.prompt_logprobs) : "null",
                   R"(,"prompt_token_ids":)", token_ids_json(choice.prompt_token_ids), "}");
    }
    return out += str(R"(],"service_tier":null,"system_fingerprint":null,"usage":)",
                      usage_json(usage, true), R"(,"kv_transfer_params":null})");
}

std::string completion_chunk_json(const std::string& head, const CompletionChoice& choice,
                                  const std::optional<Usage>& usage) {
    return str(head, choice_begin(choice), R"(,"prompt_token_ids":)",
               token_ids_json(choice.prompt_token_ids), R"(,"token_ids":)",
               token_ids_json(choice.token_ids), R"(}],"usage":)",
               usage ? usage_json(*usage, false) : "null", "}");
}

std::string completion_usage_json(const std::string& head, const Usage& usage) {
    return str(head, R"(],"usage":)", usage_json(usage, false), "}");
}

}  // namespace fathom::api
