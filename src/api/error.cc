#include "api/error.h"

#include <algorithm>

#include "api/json_text.h"
#include "text/json_value.h"

namespace fathom::api {

std::string to_json(const RequestError& error) {
    return str(R"({"error":{"message":)", json_quoted(error.message), R"(,"type":)",
               json_quoted(error.type), R"(,"param":)",
               error.param.empty() ? "null" : json_quoted(error.param), R"(,"code":)", error.status,
               "}}");
}

RequestError error_of_status(int status, std::string_view message) {
    const auto type = [status] {
        switch (status) {
            case 401: return "AuthenticationError";
            case 404: return "NotFoundError";
            case 408: return "RequestTimeoutError";
            case 429: return "RateLimitError";
            case 501: return "NotImplementedError";
            case 503: return "ServiceUnavailableError";
            default: break;
        }
        return status >= 500 ? "InternalServerError" : "BadRequestError";
    };
    return {.message = std::string(message), .status = status, .type = type()};
}

RequestError error_of(const Error& error) {
    const auto status = [&error] {
        switch (error.code) {
            case Code::invalid_argument: return 400;
            case Code::not_found: return 404;
            case Code::overloaded: return 429;
            case Code::unavailable: return 503;
            case Code::cancelled:
            case Code::corrupt: break;
        }
        return 500;
    };
    return error_of_status(status(), error.message);
}

RequestError model_not_found(std::string_view model) {
    return {.message = str("The model `", model, "` does not exist."),
            .status = 404,
            .type = "NotFoundError",
            .param = "model"};
}

RequestError unsupported_media_type() {
    return {.message =
                "Unsupported Media Type: Only 'application/json' is allowed; send the header "
                "Content-Type: application/json",
            .type = "Bad Request"};
}

bool is_json_media_type(std::string_view content_type) {
    content_type = content_type.substr(0, content_type.find(';'));
    while (content_type.ends_with(' ') || content_type.ends_with('\t'))
        content_type.remove_suffix(1);
    constexpr std::string_view kJson = "application/json";
    return std::ranges::equal(content_type, kJson, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
    });
}

std::string_view not_found_json() { return R"({"detail":"Not Found"})"; }
std::string_view method_not_allowed_json() { return R"({"detail":"Method Not Allowed"})"; }

}  // namespace fathom::api
