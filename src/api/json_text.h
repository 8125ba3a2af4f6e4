#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/token.h"

namespace fathom::api {

// Compact JSON, written piece by piece: no blanks, raw UTF-8. What is written a hundred thousand
// times a second needs no tree of values.

// Quoted, or null.
std::string quoted_or_null(const std::optional<std::string>& text);

// [1,2], or null.
std::string token_ids_json(const std::optional<std::vector<Token>>& ids);

// As Python prints a float: "3.0", "1e-05", "0.1"; the shortest that reads back the same.
std::string float_text(double value);

}  // namespace fathom::api
