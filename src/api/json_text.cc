#include "api/json_text.h"

#include <charconv>
#include <cmath>

#include "text/utf8.h"

namespace fathom::api {
namespace {

void append_escaped(std::string& out, char c) {
    constexpr char kHex[] = "0123456789abcdef";
    switch (c) {
        case '"': out += "\\\""; return;
        case '\\': out += "\\\\"; return;
        case '\b': out += "\\b"; return;
        case '\f': out += "\\f"; return;
        case '\n': out += "\\n"; return;
        case '\r': out += "\\r"; return;
        case '\t': out += "\\t"; return;
        default: break;
    }
    const auto code = static_cast<unsigned char>(c);
    if (code >= 32) {
        out += c;
        return;
    }
    out += "\\u00";
    out += kHex[code >> 4];
    out += kHex[code & 15];
}

}  // namespace

std::string quoted(std::string_view text) {
    std::string out = "\"";
    out.reserve(text.size() + 8);
    for (const char c : to_valid_utf8(text)) append_escaped(out, c);
    return out += '"';
}

std::string quoted_or_null(const std::optional<std::string>& text) {
    return text ? quoted(*text) : "null";
}

std::string float_text(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    const double size = std::abs(value);
    const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
    char text[40];
    const auto end = std::to_chars(text, text + sizeof text, value,
                                   fixed ? std::chars_format::fixed : std::chars_format::scientific)
                         .ptr;
    std::string out(text, end);
    if (fixed && out.find('.') == out.npos) out += ".0";
    return out;
}

}  // namespace fathom::api
