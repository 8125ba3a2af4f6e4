#include "server/cors.h"

#include <algorithm>

namespace fathom {
namespace {

constexpr std::string_view kMethods = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";

bool holds(const std::vector<std::string>& list, std::string_view word) {
    return std::ranges::find(list, word) != list.end();
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

}  // namespace

Cors::Cors(const HttpFlags& flags)
    : flags_(flags),
      any_origin_(holds(flags.allowed_origins, "*")),
      any_method_(holds(flags.allowed_methods, "*")),
      any_header_(holds(flags.allowed_headers, "*")) {}

bool Cors::allows_origin(std::string_view origin) const {
    return any_origin_ || holds(flags_.allowed_origins, origin);
}

// The headers that every page may send (Accept, Content-Type ...) are not asked for.
bool Cors::allows_headers(std::string_view asked) const {
    if (any_header_) return true;
    std::vector<std::string> allowed{"accept", "accept-language", "content-language",
                                     "content-type"};
    for (const std::string& name : flags_.allowed_headers) allowed.push_back(lower(name));
    while (!asked.empty()) {
        const size_t end = std::min(asked.find(','), asked.size());
        const std::string_view name = trimmed(asked.substr(0, end));
        if (!name.empty() && !holds(allowed, lower(name))) return false;
        asked.remove_prefix(std::min(end + 1, asked.size()));
    }
    return true;
}

// With credentials a browser wants the origin's name, not "*".
void Cors::add_headers(const http::Request& request, std::vector<http::Header>& headers) const {
    const std::string_view origin = request.header("Origin");
    const bool by_name = !any_origin_ || flags_.allow_credentials;
    if (!by_name) return headers.push_back({"Access-Control-Allow-Origin", "*"});
    headers.push_back({"Vary", "Origin"});
    if (origin.empty() || !allows_origin(origin)) return;
    headers.push_back({"Access-Control-Allow-Origin", std::string(origin)});
    if (flags_.allow_credentials) headers.push_back({"Access-Control-Allow-Credentials", "true"});
}

bool Cors::is_preflight(const http::Request& request) {
    return request.method == "OPTIONS" && !request.header("Origin").empty() &&
           !request.header("Access-Control-Request-Method").empty();
}

void Cors::answer_preflight(http::Exchange& http) const {
    const http::Request& request = http.request();
    const std::string_view method = request.header("Access-Control-Request-Method");
    const std::string_view asked = request.header("Access-Control-Request-Headers");
    std::string refused;
    const auto refuse = [&](const char* what) {
        refused += (refused.empty() ? "" : ", ") + str(what);
    };
    if (!allows_origin(request.header("Origin"))) refuse("origin");
    if (!any_method_ && !holds(flags_.allowed_methods, method)) refuse("method");
    if (!allows_headers(asked)) refuse("headers");
    if (!refused.empty())
        return http.reply(400, "text/plain; charset=utf-8", "Disallowed CORS " + refused);
    std::vector<http::Header> headers{
        {"Access-Control-Allow-Methods",
         any_method_ ? std::string(kMethods) : joined(flags_.allowed_methods)},
        {"Access-Control-Max-Age", "600"}};
    // As asked, not "*", which leaves Authorization out.
    const std::string allowed = any_header_ ? std::string(asked) : joined(flags_.allowed_headers);
    if (!allowed.empty()) headers.push_back({"Access-Control-Allow-Headers", allowed});
    http.reply(200, "text/plain; charset=utf-8", "OK", headers);
}

}  // namespace fathom
