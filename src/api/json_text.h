#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fathom::api {

// Compact JSON, written piece by piece: no blanks, raw UTF-8. What is written a hundred thousand
// times a second needs no tree of values.

// Quoted, or null.
std::string quoted_or_null(const std::optional<std::string>& text);

// As Python prints a float: "3.0", "1e-05", "0.1"; the shortest that reads back the same.
std::string float_text(double value);

}  // namespace fathom::api
