#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fathom {

// How many characters of white space may stand where JSON allows them, so that a model that has
// begun to write line breaks comes to an end: a new line and seven levels of four.
inline constexpr int kJsonWhitespaceMax = 32;

// A client's JSON schema, checked and made ready for compiling: objects that name their properties
// have no others unless `additionalProperties` says so; the order of properties is kept.
//
// invalid_argument, one sentence that begins with the place ("$.properties.a.type: ..."): what is
// no schema, a keyword that cannot be held to, a $ref that leads nowhere or that no finite value
// satisfies, and what is larger than a compilation may become (256 KiB, 64 levels, 4,096
// subschemas, 256 optional properties of one object, kCompileCostMax for patterns and lengths). An
// endless or ambiguous schema is refused rather than held to in part.
Result<std::string> closed_schema(std::string_view text);

}  // namespace fathom
