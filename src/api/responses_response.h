#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/answer_item.h"
#include "api/usage.h"

namespace fathom::api {

// What all forms of one answer of POST /v1/responses share.
struct ResponseHead {
    std::string id;          // "resp_..."
    int64_t created_at = 0;  // Unix time, s.
    std::string model;       // The first served name.
    std::string echo;        // ResponsesRequest::echo
};

struct ResponseState {
    enum class Status : uint8_t { in_progress, completed, incomplete, failed };
    Status status = Status::in_progress;
    std::optional<Usage> usage;  // Once it has ended.
    std::string error;           // failed: why
};

// The answer as an object. Source: openai-python's types.responses.Response.
std::string response_json(const ResponseHead& head, const ResponseState& state,
                          const std::vector<AnswerItem>& items);

// A streamed event: {"type":NAME,"sequence_number":...,MEMBERS}. Members are one of those below.
std::string response_event_json(const char* name, int64_t sequence, const std::string& members);

// `"response":{...}`: of response.created and the other events of the whole.
std::string response_member(const ResponseHead& head, const ResponseState& state,
                            const std::vector<AnswerItem>& items);
// Of response.output_item.added and .done: item `index` as it is now.
std::string item_members(const ResponseHead& head, const AnswerItem& item, size_t index);
// Of response.content_part.added and .done: the part of a thought or a text.
std::string part_members(const ResponseHead& head, const AnswerItem& item, size_t index);
// Of response.output_text.delta and its kin: what has come.
std::string delta_members(const ResponseHead& head, const AnswerItem& item, size_t index,
                          const std::string& text);
// Of response.output_text.done and its kin: all of the text.
std::string done_members(const ResponseHead& head, const AnswerItem& item, size_t index);

}  // namespace fathom::api
