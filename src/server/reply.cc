#include "server/reply.h"

#include <cstdio>
#include <random>

#include "base/check.h"

namespace fathom {

const std::vector<http::Header>& cors_headers() {
    static const std::vector<http::Header> headers{{"Access-Control-Allow-Origin", "*"}};
    return headers;
}

void refuse(http::Exchange& http, const api::RequestError& error) {
    http.reply(error.status, "application/json", api::to_json(error), cors_headers());
}

std::string answer_id(const char* prefix, const RequestInfo& info, const std::string& in_body) {
    if (!info.id.empty()) return prefix + info.id;
    if (!in_body.empty()) return prefix + in_body;
    std::random_device device;
    std::string id = prefix;
    for (int i = 0; i < 4; ++i) {
        char digits[9];
        std::snprintf(digits, sizeof digits, "%08x", device());
        id += digits;
    }
    return id;
}

const char* name_of(FinishReason reason) {
    switch (reason) {
        case FinishReason::none: return "";
        case FinishReason::stop: return "stop";
        case FinishReason::length: return "length";
        case FinishReason::abort: return "abort";
        case FinishReason::error: return "error";
    }
    CHECK(false, "finish reason ", static_cast<int>(reason));
}

}  // namespace fathom
