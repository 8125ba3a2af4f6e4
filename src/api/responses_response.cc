#include "api/responses_response.h"

#include "base/check.h"
#include "text/json_value.h"

namespace fathom::api {
namespace {

using Kind = AnswerItem::Kind;
using State = AnswerItem::State;
using Status = ResponseState::Status;

const char* name_of(Status status) {
    switch (status) {
        case Status::in_progress: return "in_progress";
        case Status::completed: return "completed";
        case Status::incomplete: return "incomplete";
        case Status::failed: return "failed";
    }
    CHECK(false, "status ", static_cast<int>(status));
}

const char* name_of(State state) {
    switch (state) {
        case State::open: return "in_progress";
        case State::complete: return "completed";
        case State::cut: return "incomplete";
    }
    CHECK(false, "state ", static_cast<int>(state));
}

const char* prefix_of(Kind kind) {
    switch (kind) {
        case Kind::thought: return "rs_";
        case Kind::text: return "msg_";
        case Kind::call: return "fc_";
    }
    CHECK(false, "item of kind ", static_cast<int>(kind));
}

// "msg_0123..._1": item 1 of "resp_0123...".
std::string item_id(const ResponseHead& head, const AnswerItem& item, size_t index) {
    const size_t own = head.id.find('_') + 1;
    return json_quoted(str(prefix_of(item.kind), head.id.substr(own), "_", index));
}

std::string part_json(const AnswerItem& item) {
    if (item.kind == Kind::thought)
        return str(R"({"type":"reasoning_text","text":)", json_quoted(item.text), "}");
    return str(R"({"type":"output_text","annotations":[],"logprobs":[],"text":)",
               json_quoted(item.text), "}");
}

// An open item has no part yet.
std::string item_json(const ResponseHead& head, const AnswerItem& item, size_t index) {
    const bool open = item.state == State::open;
    const std::string id = str(R"({"id":)", item_id(head, item, index), R"(,"type":)");
    const std::string status = str(R"(,"status":")", name_of(item.state), R"(")");
    const std::string content = open ? "[]" : str("[", part_json(item), "]");
    switch (item.kind) {
        case Kind::thought:
            return str(id, R"("reasoning")", status, R"(,"summary":[],"content":)", content,
                       R"(,"encrypted_content":null})");
        case Kind::text:
            return str(id, R"("message")", status, R"(,"role":"assistant","content":)", content,
                       "}");
        case Kind::call:
            return str(id, R"("function_call")", status, R"(,"call_id":)",
                       json_quoted(item.call_id), R"(,"name":)", json_quoted(item.name),
                       R"(,"arguments":)", json_quoted(item.text), "}");
    }
    CHECK(false, "item of kind ", static_cast<int>(item.kind));
}

std::string usage_json(const Usage& usage) {
    return str(R"({"input_tokens":)", usage.prompt_tokens,
               R"(,"input_tokens_details":{"cached_tokens":)", usage.cached_tokens.value_or(0),
               R"(,"cache_write_tokens":0},"output_tokens":)", usage.completion_tokens,
               R"(,"output_tokens_details":{"reasoning_tokens":)",
               usage.reasoning_tokens.value_or(0), R"(},"total_tokens":)",
               usage.prompt_tokens + usage.completion_tokens, "}");
}

std::string error_json(const ResponseState& state) {
    if (state.status != Status::failed) return "null";
    return str(R"({"code":"server_error","message":)", json_quoted(state.error), "}");
}

// Where in the answer something is; a call has no parts.
std::string place_members(const ResponseHead& head, const AnswerItem& item, size_t index) {
    return str(R"("item_id":)", item_id(head, item, index), R"(,"output_index":)", index,
               item.kind == Kind::call ? "" : R"(,"content_index":0)");
}

}  // namespace

std::string response_json(const ResponseHead& head, const ResponseState& state,
                          const std::vector<AnswerItem>& items) {
    std::string out =
        str(R"({"id":)", json_quoted(head.id), R"(,"object":"response","created_at":)",
            head.created_at, R"(,"status":")", name_of(state.status), R"(","error":)",
            error_json(state), R"(,"incomplete_details":)",
            state.status == Status::incomplete ? R"({"reason":"max_output_tokens"})" : "null",
            R"(,"model":)", json_quoted(head.model), R"(,"output":[)");
    for (size_t i = 0; i < items.size(); ++i)
        out += str(i > 0 ? "," : "", item_json(head, items[i], i));
    return out += str("],", head.echo, R"(,"usage":)",
                      state.usage ? usage_json(*state.usage) : "null", "}");
}

std::string response_event_json(const char* name, int64_t sequence, const std::string& members) {
    return str(R"({"type":")", name, R"(","sequence_number":)", sequence, ",", members, "}");
}

std::string response_member(const ResponseHead& head, const ResponseState& state,
                            const std::vector<AnswerItem>& items) {
    return str(R"("response":)", response_json(head, state, items));
}

std::string item_members(const ResponseHead& head, const AnswerItem& item, size_t index) {
    return str(R"("output_index":)", index, R"(,"item":)", item_json(head, item, index));
}

std::string part_members(const ResponseHead& head, const AnswerItem& item, size_t index) {
    return str(place_members(head, item, index), R"(,"part":)", part_json(item));
}

std::string delta_members(const ResponseHead& head, const AnswerItem& item, size_t index,
                          const std::string& text) {
    return str(place_members(head, item, index), R"(,"delta":)", json_quoted(text),
               item.kind == Kind::text ? R"(,"logprobs":[])" : "");
}

std::string done_members(const ResponseHead& head, const AnswerItem& item, size_t index) {
    switch (item.kind) {
        case Kind::call:
            return str(place_members(head, item, index), R"(,"name":)", json_quoted(item.name),
                       R"(,"arguments":)", json_quoted(item.text));
        case Kind::thought:
            return str(place_members(head, item, index), R"(,"text":)", json_quoted(item.text));
        case Kind::text: break;
    }
    return str(place_members(head, item, index), R"(,"text":)", json_quoted(item.text),
               R"(,"logprobs":[])");
}

}  // namespace fathom::api
