#include "server/reply.h"

#include <random>

#include "api/messages_response.h"
#include "base/check.h"

namespace fathom {

void refuse(http::Exchange& http, const api::RequestError& error) {
    // Below whatever root path there is.
    const bool of_messages = http.request().path.find("/v1/messages") != std::string::npos;
    http.reply(error.status, "application/json",
               of_messages ? api::message_error_json(error) : api::to_json(error));
}

void fail_answer(http::Exchange& http, const api::RequestError& error, bool stream) {
    if (!stream) return refuse(http, error);
    http.send_event(api::to_json(error));
    http.send_event("[DONE]");
    http.end_events();
}

std::string random_hex(int digits) {
    constexpr char kHex[] = "0123456789abcdef";
    std::random_device device;
    std::string text;
    uint32_t bits = 0;
    for (int i = 0; i < digits; ++i) {
        if (i % 8 == 0) bits = device();
        text += kHex[bits >> (i % 8 * 4) & 15];
    }
    return text;
}

std::string answer_id(const char* prefix, const RequestInfo& info, const std::string& in_body) {
    if (!info.id.empty()) return prefix + info.id;
    return prefix + (in_body.empty() ? random_hex(32) : in_body);
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
