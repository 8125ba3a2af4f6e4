#include "api/json_text.h"

#include <cmath>

#include "text/json_value.h"
#include "text/python_json.h"

namespace fathom::api {

std::string quoted_or_null(const std::optional<std::string>& text) {
    return text ? json_quoted(*text) : "null";
}

std::string token_ids_json(const std::optional<std::vector<Token>>& ids) {
    if (!ids) return "null";
    std::string out = "[";
    for (const Token id : *ids) {
        if (out.size() > 1) out += ',';
        out += std::to_string(id);
    }
    return out += ']';
}

std::string float_text(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    return python_float(value);
}

}  // namespace fathom::api
