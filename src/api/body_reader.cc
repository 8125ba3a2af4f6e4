#include "api/body_reader.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "text/json_value.h"

namespace fathom::api {
namespace {

constexpr int kDepthMax = 128;  // JsonValue is freed and printed by recursion.

RequestError schema_error(const std::string& where, const char* type, const std::string& what) {
    return {.message = str("[{'type': '", type, "', 'loc': ('body', '", where, "'), 'msg': '", what,
                           "'}]"),
            .type = "Bad Request",
            .param = where};
}

std::string_view trimmed(std::string_view text) {
    const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

// All of the text is one number, a plus sign and blanks around it allowed.
template <class T>
std::optional<T> parse_number(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
    T value;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<int64_t> to_integer(const JsonValue& value) {
    if (const bool* boolean = value.boolean()) return *boolean ? 1 : 0;
    if (const int64_t* integer = value.integer()) return *integer;
    if (const double* real = value.real()) {
        if (*real != std::trunc(*real) || std::abs(*real) >= 0x1p63) return std::nullopt;
        return static_cast<int64_t>(*real);
    }
    const std::string* string = value.string();
    if (string == nullptr) return std::nullopt;
    std::string_view text = trimmed(*string);
    if (const size_t point = text.find('.'); point != text.npos && point > 0 &&
                                             point + 1 < text.size() &&
                                             text.find_first_not_of('0', point + 1) == text.npos)
        text = text.substr(0, point);
    return parse_number<int64_t>(text);
}

std::optional<double> to_number(const JsonValue& value) {
    std::optional<double> real;
    if (const bool* boolean = value.boolean()) real = *boolean ? 1.0 : 0.0;
    if (value.is_number()) real = value.number();
    if (const std::string* text = value.string()) real = parse_number<double>(*text);
    return real && std::isfinite(*real) ? real : std::nullopt;
}

std::optional<bool> to_boolean(const JsonValue& value) {
    if (const bool* boolean = value.boolean()) return *boolean;
    if (value.is_number()) {
        const double real = value.number();
        if (real == 0 || real == 1) return real == 1;
        return std::nullopt;
    }
    if (value.string() == nullptr) return std::nullopt;
    std::string text = *value.string();
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    for (const char* yes : {"true", "1", "on", "t", "y", "yes"})
        if (text == yes) return true;
    for (const char* no : {"false", "0", "off", "f", "n", "no"})
        if (text == no) return false;
    return std::nullopt;
}

}  // namespace

struct BodyReader::Impl {
    JsonValue owned;                    // Of the outermost reader.
    const JsonValue* object = nullptr;  // Null when there is no object to read.
    std::string prefix;                 // Of the names in errors: "stream_options.".
    std::optional<RequestError> error;

    // Null when there is nothing to read.
    const JsonValue* find(const char* field) const {
        if (error || object == nullptr) return nullptr;
        const JsonValue* found = object->find(field);
        return found == nullptr || found->is_null() ? nullptr : found;
    }

    void fail(const std::string& field, const char* type, const std::string& what) {
        if (!error) error = schema_error(prefix + field, type, what);
    }

    std::optional<std::vector<Token>> to_tokens(const JsonValue& list, const std::string& field);
    std::unique_ptr<Impl> inner(const JsonValue& value, const std::string& place) const {
        return std::make_unique<Impl>(Impl{.object = &value, .prefix = prefix + place + "."});
    }
};

std::optional<std::vector<Token>> BodyReader::Impl::to_tokens(const JsonValue& list,
                                                              const std::string& field) {
    if (list.array() == nullptr) {
        fail(field, "list_type", "Input should be a valid list of token ids");
        return std::nullopt;
    }
    std::vector<Token> tokens;
    tokens.reserve(list.array()->size());
    for (const JsonValue& element : *list.array()) {
        const std::optional<int64_t> id = to_integer(element);
        if (!id) {
            fail(field, "int_type", "Input should be a list of valid integers");
            return std::nullopt;
        }
        if (*id < 0 || *id > std::numeric_limits<Token>::max()) {
            if (!error)
                error = {.message = str("Token id ", *id, " is out of vocabulary"),
                         .param = prefix + field};
            return std::nullopt;
        }
        tokens.push_back(static_cast<Token>(*id));
    }
    return tokens;
}

BodyReader::BodyReader(std::string_view text) : impl_(std::make_unique<Impl>()) {
    const auto refuse = [&](const char* type, const std::string& what) {
        impl_->error = RequestError{
            .message = str("[{'type': '", type, "', 'loc': ('body',), 'msg': '", what, "'}]"),
            .type = "Bad Request"};
    };
    Result<JsonValue> parsed = JsonValue::parse(text, kDepthMax);
    if (!parsed.ok()) {
        refuse("json_invalid", parsed.error().message);
    } else if (parsed.value().object() == nullptr) {
        refuse("model_attributes_type", "Input should be a valid dictionary: {\"prompt\": ...}");
    } else {
        impl_->owned = std::move(parsed).value();
        impl_->object = &impl_->owned;
    }
}

BodyReader::BodyReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BodyReader::BodyReader(BodyReader&&) noexcept = default;
BodyReader::~BodyReader() = default;

bool BodyReader::has(const char* field) const { return impl_->find(field) != nullptr; }

bool BodyReader::is_off(const char* field) const {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return true;
    if (const bool* boolean = value->boolean()) return !*boolean;
    if (value->is_number()) return value->number() == 0;
    if (value->string() != nullptr) return value->string()->empty();
    if (value->array() != nullptr) return value->array()->empty();
    return value->object()->empty();
}

std::optional<int64_t> BodyReader::integer(const char* field) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    const std::optional<int64_t> result = to_integer(*value);
    if (!result) impl_->fail(field, "int_type", "Input should be a valid integer");
    return result;
}

std::optional<double> BodyReader::number(const char* field) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    const std::optional<double> result = to_number(*value);
    if (!result) impl_->fail(field, "float_type", "Input should be a valid finite number");
    return result;
}

std::optional<bool> BodyReader::boolean(const char* field) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    const std::optional<bool> result = to_boolean(*value);
    if (!result) impl_->fail(field, "bool_type", "Input should be a valid boolean");
    return result;
}

std::optional<std::string> BodyReader::string(const char* field) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    if (value->string() != nullptr) return *value->string();
    impl_->fail(field, "string_type", "Input should be a valid string");
    return std::nullopt;
}

bool BodyReader::is_string(const char* field) const {
    const JsonValue* value = impl_->find(field);
    return value != nullptr && value->string() != nullptr;
}

bool BodyReader::is_array(const char* field) const {
    const JsonValue* value = impl_->find(field);
    return value != nullptr && value->array() != nullptr;
}

bool BodyReader::is_object(const char* field) const {
    const JsonValue* value = impl_->find(field);
    return value != nullptr && value->object() != nullptr;
}

std::optional<std::string> BodyReader::json(const char* field) const {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    return value->dump();
}

std::optional<std::vector<std::string>> BodyReader::strings(const char* field, bool drop_nulls) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    if (value->string() != nullptr) return std::vector{*value->string()};
    std::vector<std::string> list;
    bool good = value->array() != nullptr;
    if (good)
        for (const JsonValue& element : *value->array()) {
            if (drop_nulls && element.is_null()) continue;
            if (good = good && element.string() != nullptr; good) list.push_back(*element.string());
        }
    if (good) return list;
    impl_->fail(field, "string_type", "Input should be a valid string or a list of strings");
    return std::nullopt;
}

std::optional<std::vector<Token>> BodyReader::tokens(const char* field) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    return impl_->to_tokens(*value, field);
}

std::optional<std::vector<Prompt>> BodyReader::prompts(const char* field) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    std::vector<Prompt> list;
    const JsonValue::Array* elements = value->array();
    const bool of_texts =
        value->string() != nullptr ||
        (elements != nullptr && !elements->empty() && elements->front().string() != nullptr);
    if (of_texts) {
        std::optional<std::vector<std::string>> texts = strings(field);
        if (!texts) return std::nullopt;
        for (std::string& text : *texts) list.emplace_back(std::move(text));
        return list;
    }
    if (elements == nullptr) {
        impl_->fail(field, "prompt_type",
                    "Input should be a string, a list of strings, or lists of token ids");
        return std::nullopt;
    }
    const auto add = [&](const JsonValue& ids) {
        std::optional<std::vector<Token>> tokens = impl_->to_tokens(ids, field);
        if (tokens) list.emplace_back(*std::move(tokens));
        return tokens.has_value();
    };
    if (elements->empty()) return list;
    if (elements->front().array() == nullptr)
        return add(*value) ? std::optional(std::move(list)) : std::nullopt;
    for (const JsonValue& ids : *elements)
        if (!add(ids)) return std::nullopt;
    return list;
}

std::optional<BodyReader> BodyReader::object(const char* field) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    if (value->object() == nullptr) {
        impl_->fail(field, "dict_type", "Input should be a valid dictionary");
        return std::nullopt;
    }
    return BodyReader(impl_->inner(*value, field));
}

std::optional<std::vector<BodyReader>> BodyReader::objects(const char* field) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    if (value->array() == nullptr) {
        impl_->fail(field, "list_type", "Input should be a valid list");
        return std::nullopt;
    }
    std::vector<BodyReader> list;
    for (const JsonValue& element : *value->array()) {
        const std::string place = str(field, ".", list.size());
        if (element.object() == nullptr) {
            impl_->fail(place, "dict_type", "Input should be a valid dictionary");
            return std::nullopt;
        }
        list.push_back(BodyReader(impl_->inner(element, place)));
    }
    return list;
}

std::optional<std::vector<std::variant<std::string, BodyReader>>> BodyReader::parts(
    const char* field) {
    const JsonValue* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    if (value->array() == nullptr) {
        impl_->fail(field, "list_type", "Input should be a valid list");
        return std::nullopt;
    }
    std::vector<std::variant<std::string, BodyReader>> list;
    for (const JsonValue& element : *value->array()) {
        const std::string place = str(field, ".", list.size());
        if (element.string() != nullptr) {
            list.emplace_back(*element.string());
        } else if (element.object() != nullptr) {
            list.emplace_back(BodyReader(impl_->inner(element, place)));
        } else {
            impl_->fail(place, "dict_type", "Input should be a valid string or dictionary");
            return std::nullopt;
        }
    }
    return list;
}

std::vector<std::string> BodyReader::fields() const {
    std::vector<std::string> names;
    if (impl_->object != nullptr)
        for (const JsonValue::Member& member : *impl_->object->object())
            names.push_back(member.key);
    return names;
}

std::string BodyReader::json() const {
    return impl_->object == nullptr ? "null" : impl_->object->dump();
}

std::string BodyReader::json_without_nulls() const {
    std::string out = "{";
    if (impl_->object != nullptr)
        for (const auto& [key, value] : *impl_->object->object()) {
            if (value.is_null()) continue;
            if (out.size() > 1) out += ',';
            out += str(json_quoted(key), ":", value.dump());
        }
    return out += '}';
}

const std::string& BodyReader::prefix() const { return impl_->prefix; }

const std::optional<RequestError>& BodyReader::error() const { return impl_->error; }

void BodyReader::fail(RequestError error) {
    if (!impl_->error) impl_->error = std::move(error);
}

void BodyReader::adopt(const BodyReader& inner) {
    if (inner.error()) fail(*inner.error());
}

}  // namespace fathom::api
