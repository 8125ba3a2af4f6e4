#include "api/logprobs.h"

#include <algorithm>
#include <unordered_set>

#include "api/json_text.h"
#include "base/check.h"
#include "text/json_value.h"
#include "text/utf8.h"

namespace fathom::api {
namespace {

// As vLLM clamps: JSON has no infinity. The same float always gives the same text.
std::string logprob_text(float logprob) { return float_text(std::max(logprob, -9999.0f)); }

const ShownToken& token_of(const LogprobRow& row) {
    return row.logprobs ? row.logprobs->token : row.token;
}

int64_t characters(std::string_view text) {
    return std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
}

// The token itself, then the likeliest ones: at most `most` in all, and each once.
std::vector<const ShownToken*> shown_first(const ShownLogprobs& row, size_t most) {
    std::vector<const ShownToken*> shown{&row.token};
    for (const ShownToken& token : row.top)
        if (token.id != row.token.id && shown.size() < most) shown.push_back(&token);
    return shown;
}

// Two tokens of the same text are one key of an object: the first stands.
std::string top_json(const ShownLogprobs& row) {
    std::string out = "{";
    std::unordered_set<std::string> keys;
    for (const ShownToken* token : shown_first(row, row.top.size() + 1)) {
        const auto [key, is_new] = keys.insert(json_quoted(token->text()));
        if (!is_new) continue;
        if (keys.size() > 1) out += ',';
        out += str(*key, ":", logprob_text(token->logprob));
    }
    return out += '}';
}

// With comma-separated elements.
template <class Rows, class Write>
std::string list_json(const Rows& rows, Write write) {
    std::string out = "[";
    for (const auto& row : rows) {
        if (out.size() > 1) out += ',';
        out += write(row);
    }
    return out += ']';
}

std::string chat_token_json(const ShownToken& token) {
    std::string bytes = list_json(
        token.bytes, [](char c) { return std::to_string(static_cast<unsigned char>(c)); });
    return str(R"("token":)", json_quoted(token.text()), R"(,"logprob":)",
               logprob_text(token.logprob), R"(,"bytes":)", bytes);
}

std::string prompt_entry_json(const ShownToken& token, int rank) {
    return str('"', token.id, R"(":{"logprob":)", logprob_text(token.logprob), R"(,"rank":)", rank,
               R"(,"decoded_token":)", json_quoted(to_valid_utf8(token.bytes)), "}");
}

}  // namespace

std::string ShownToken::text() const { return as_id ? str("token_id:", id) : to_valid_utf8(bytes); }

int64_t characters(const std::vector<LogprobRow>& rows) {
    int64_t sum = 0;
    for (const LogprobRow& row : rows) sum += characters(token_of(row).text());
    return sum;
}

std::string completion_logprobs_json(const std::vector<LogprobRow>& rows, int64_t offset) {
    std::string offsets = list_json(rows, [&](const LogprobRow& row) {
        const int64_t at = offset;
        offset += characters(token_of(row).text());
        return std::to_string(at);
    });
    std::string logprobs = list_json(rows, [](const LogprobRow& row) {
        return row.logprobs ? logprob_text(row.logprobs->token.logprob) : std::string("null");
    });
    std::string tokens =
        list_json(rows, [](const LogprobRow& row) { return json_quoted(token_of(row).text()); });
    std::string top = list_json(rows, [](const LogprobRow& row) {
        return row.logprobs ? top_json(*row.logprobs) : std::string("null");
    });
    return str(R"({"text_offset":)", offsets, R"(,"token_logprobs":)", logprobs, R"(,"tokens":)",
               tokens, R"(,"top_logprobs":)", top, "}");
}

std::string chat_logprobs_json(const std::vector<ShownLogprobs>& rows, int64_t top) {
    const auto write = [&](const ShownLogprobs& row) {
        const size_t most = top < 0 ? row.top.size() + 1 : static_cast<size_t>(top);
        std::vector<const ShownToken*> shown;
        if (most > 0) shown = shown_first(row, most);
        return str("{", chat_token_json(row.token), R"(,"top_logprobs":)",
                   list_json(shown,
                             [](const ShownToken* token) {
                                 return str("{", chat_token_json(*token), "}");
                             }),
                   "}");
    };
    return str(R"({"content":)", list_json(rows, write), "}");
}

std::string prompt_logprobs_json(const std::vector<LogprobRow>& rows) {
    return list_json(rows, [](const LogprobRow& row) -> std::string {
        if (!row.logprobs) return "null";
        const ShownLogprobs& shown = *row.logprobs;
        std::string out = str("{", prompt_entry_json(shown.token, shown.rank));
        for (size_t i = 0; i < shown.top.size(); ++i)
            if (shown.top[i].id != shown.token.id)
                out += str(",", prompt_entry_json(shown.top[i], static_cast<int>(i) + 1));
        return out += '}';
    });
}

}  // namespace fathom::api
