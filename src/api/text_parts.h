#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "api/body_reader.h"

namespace fathom::api {

// "input.3" for a reader that stands there: where an error is.
std::string place_of(const BodyReader& reader);

// A field that must be a string; the error names it.
std::string required_string(BodyReader& reader, const char* field);

// A text that is given as a string, or as parts of which each has a type and a `text`: the parts'
// texts with line breaks between them. Absent: empty. Parts of other types are refused by name.
std::string read_text(BodyReader& reader, const char* field,
                      std::initializer_list<std::string_view> types);

// Two texts with a line break between them, where there are two.
void append_text(std::string& text, std::string_view more, std::string_view between = "\n");

}  // namespace fathom::api
