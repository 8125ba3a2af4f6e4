#include "api/text_parts.h"

#include <algorithm>

#include "api/generation_request.h"
#include "text/json_value.h"

namespace fathom::api {

std::string place_of(const BodyReader& reader) {
    std::string place = reader.prefix();
    if (!place.empty()) place.pop_back();
    return place;
}

std::string required_string(BodyReader& reader, const char* field) {
    if (!reader.has(field)) {
        const std::string name = reader.prefix() + field;
        reader.fail(invalid(name, str(name, ": Field required; send a string")));
    }
    return reader.string(field).value_or("");
}

std::string read_text(BodyReader& reader, const char* field,
                      std::initializer_list<std::string_view> types) {
    if (!reader.is_array(field)) return reader.string(field).value_or("");
    std::string text;
    auto parts = reader.objects(field);
    if (!parts) return text;
    for (BodyReader& part : *parts) {
        const std::string type = required_string(part, "type");
        if (std::ranges::find(types, type) == types.end())
            part.fail(invalid(part.prefix() + "type",
                              str(place_of(part), " is of type ", json_quoted(type),
                                  "; the model reads text only")));
        append_text(text, required_string(part, type == "refusal" ? "refusal" : "text"));
        reader.adopt(part);
    }
    return text;
}

void append_text(std::string& text, std::string_view more, std::string_view between) {
    if (!text.empty() && !more.empty()) text += between;
    text += more;
}

}  // namespace fathom::api
