#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fathom::api {

// Why a request is refused, as OpenAI's clients read it.
struct RequestError {
    std::string message;
    int status = 400;
    std::string type = "BadRequestError";
    std::string param;  // The field at fault; empty: null.
};

// {"error":{"message":...,"type":...,"param":...,"code":...}}: the body of an answer with
// error.status, or an event of a stream that has begun.
std::string to_json(const RequestError& error);

// An error of http or of the program, with vLLM's `type` for that status.
RequestError error_of_status(int status, std::string_view message);
// invalid_argument 400, not_found 404, overloaded 429, cancelled and corrupt 500, unavailable 503.
RequestError error_of(const Error& error);

RequestError model_not_found(std::string_view model);

// What a JSON endpoint says to a body that is not announced as JSON.
RequestError unsupported_media_type();
// True for "application/json", with parameters or without, in any case.
bool is_json_media_type(std::string_view content_type);

// {"detail":"Not Found"} and {"detail":"Method Not Allowed"}: vLLM's answers to what has no route.
std::string_view not_found_json();
std::string_view method_not_allowed_json();

}  // namespace fathom::api
