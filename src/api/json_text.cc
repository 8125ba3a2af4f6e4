#include "api/json_text.h"

#include <charconv>
#include <cmath>

#include "text/json_value.h"

namespace fathom::api {

std::string quoted_or_null(const std::optional<std::string>& text) {
    return text ? json_quoted(*text) : "null";
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
