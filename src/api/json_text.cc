#include "api/json_text.h"

#include <cmath>

#include "text/json_value.h"
#include "text/python_json.h"

namespace fathom::api {

std::string quoted_or_null(const std::optional<std::string>& text) {
    return text ? json_quoted(*text) : "null";
}

std::string float_text(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    return python_float(value);
}

}  // namespace fathom::api
