#include "http/response_head.h"

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/check.h"

namespace fathom::http {
namespace {

std::string_view reason(int status) {
    switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 417: return "Expectation Failed";
        case 422: return "Unprocessable Content";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        default: return "Status";
    }
}

std::string date() {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

void add(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ");
    for (const char c : value)
        out += (static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127 ? ' ' : c;
    out += "\r\n";
}

}  // namespace

std::string format(const ResponseHead& head, const std::vector<Header>& extra) {
    CHECK(head.status >= 100 && head.status <= 599, "status ", head.status);
    std::string out = str("HTTP/1.1 ", head.status, " ", reason(head.status), "\r\n");
    add(out, "Date", date());
    add(out, "Server", "fathom");
    if (!head.content_type.empty()) add(out, "Content-Type", head.content_type);
    if (head.chunked) add(out, "Transfer-Encoding", "chunked");
    if (head.content_length >= 0) add(out, "Content-Length", str(head.content_length));
    if (!head.keep_alive) add(out, "Connection", "close");
    if (head.keep_alive && head.version == 10) add(out, "Connection", "keep-alive");
    for (const Header& header : extra) add(out, header.name, header.value);
    out += "\r\n";
    return out;
}

std::string event(std::string_view name, std::string_view data, bool chunked) {
    constexpr std::string_view kName = "event: ", kBegin = "data: ", kEnd = "\n\n", kLine = "\r\n";
    const auto breaks = static_cast<size_t>(std::ranges::count(data, '\n'));
    const size_t name_size = name.empty() ? 0 : kName.size() + name.size() + 1;
    const size_t size = name_size + data.size() + kBegin.size() * (1 + breaks) + kEnd.size();
    std::string out;
    out.reserve(size + 24);  // Once for each token of each client: no second allocation, no copy.
    if (chunked) {
        char digits[16];
        out.append(digits, std::to_chars(digits, digits + sizeof digits, size, 16).ptr);
        out += kLine;
    }
    if (!name.empty()) out.append(kName).append(name).append("\n");
    for (size_t begin = 0; begin <= data.size();) {
        const size_t end = std::min(data.find('\n', begin), data.size());
        out.append(begin == 0 ? kBegin : "\ndata: ").append(data.substr(begin, end - begin));
        begin = end + 1;
    }
    out += kEnd;
    if (chunked) out += kLine;
    return out;
}

}  // namespace fathom::http
