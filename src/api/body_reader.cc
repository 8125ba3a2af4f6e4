#include "api/body_reader.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace fathom::api {
namespace {

using Json = nlohmann::json;

constexpr int kDepthMax = 128;  // nlohmann recurses when it frees and prints.

bool too_deep(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > kDepthMax) return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

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

std::optional<int64_t> to_integer(const Json& value) {
    if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
    if (value.is_number_unsigned()) {
        const auto wide = value.get<uint64_t>();
        if (wide > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
        return static_cast<int64_t>(wide);
    }
    if (value.is_number_integer()) return value.get<int64_t>();
    if (value.is_number_float()) {
        const auto real = value.get<double>();
        if (real != std::trunc(real) || std::abs(real) >= 0x1p63) return std::nullopt;
        return static_cast<int64_t>(real);
    }
    if (!value.is_string()) return std::nullopt;
    std::string_view text = value.get_ref<const std::string&>();
    text = trimmed(text);
    if (const size_t point = text.find('.'); point != text.npos && point > 0 &&
                                             point + 1 < text.size() &&
                                             text.find_first_not_of('0', point + 1) == text.npos)
        text = text.substr(0, point);
    return parse_number<int64_t>(text);
}

std::optional<double> to_number(const Json& value) {
    std::optional<double> real;
    if (value.is_boolean()) real = value.get<bool>() ? 1.0 : 0.0;
    if (value.is_number()) real = value.get<double>();
    if (value.is_string()) real = parse_number<double>(value.get_ref<const std::string&>());
    return real && std::isfinite(*real) ? real : std::nullopt;
}

std::optional<bool> to_boolean(const Json& value) {
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number()) {
        const auto real = value.get<double>();
        if (real == 0 || real == 1) return real == 1;
        return std::nullopt;
    }
    if (!value.is_string()) return std::nullopt;
    std::string text = value.get<std::string>();
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
    Json json;
    std::string prefix;  // Of the names in errors: "stream_options.".
    std::optional<RequestError> error;

    // Null when there is nothing to read.
    const Json* find(const char* field) const {
        if (error || !json.is_object()) return nullptr;
        const auto found = json.find(field);
        return found == json.end() || found->is_null() ? nullptr : &*found;
    }

    void fail(const std::string& field, const char* type, const std::string& what) {
        if (!error) error = schema_error(prefix + field, type, what);
    }

    std::optional<std::vector<Token>> to_tokens(const Json& list, const std::string& field);
};

std::optional<std::vector<Token>> BodyReader::Impl::to_tokens(const Json& list,
                                                              const std::string& field) {
    if (!list.is_array()) {
        fail(field, "list_type", "Input should be a valid list of token ids");
        return std::nullopt;
    }
    std::vector<Token> tokens;
    tokens.reserve(list.size());
    for (const Json& element : list) {
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
    if (too_deep(text)) {
        refuse("json_invalid",
               str("JSON decode error: nested more than ", kDepthMax, " levels deep"));
        return;
    }
    try {
        impl_->json = Json::parse(text);
        if (!impl_->json.is_object())
            refuse("model_attributes_type",
                   "Input should be a valid dictionary: {\"prompt\": ...}");
    } catch (const Json::parse_error& error) {
        refuse("json_invalid", str("JSON decode error at byte ", error.byte));
    } catch (const Json::exception&) {
        refuse("json_invalid", "JSON decode error: a number is too large");
    }
}

BodyReader::BodyReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BodyReader::BodyReader(BodyReader&&) noexcept = default;
BodyReader::~BodyReader() = default;

bool BodyReader::has(const char* field) const { return impl_->find(field) != nullptr; }

bool BodyReader::is_off(const char* field) const {
    const Json* value = impl_->find(field);
    if (value == nullptr) return true;
    if (value->is_boolean()) return !value->get<bool>();
    if (value->is_number()) return value->get<double>() == 0;
    if (value->is_string()) return value->get_ref<const std::string&>().empty();
    return value->empty();
}

std::optional<int64_t> BodyReader::integer(const char* field) {
    const Json* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    const std::optional<int64_t> result = to_integer(*value);
    if (!result) impl_->fail(field, "int_type", "Input should be a valid integer");
    return result;
}

std::optional<double> BodyReader::number(const char* field) {
    const Json* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    const std::optional<double> result = to_number(*value);
    if (!result) impl_->fail(field, "float_type", "Input should be a valid finite number");
    return result;
}

std::optional<bool> BodyReader::boolean(const char* field) {
    const Json* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    const std::optional<bool> result = to_boolean(*value);
    if (!result) impl_->fail(field, "bool_type", "Input should be a valid boolean");
    return result;
}

std::optional<std::string> BodyReader::string(const char* field) {
    const Json* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return value->get<std::string>();
    impl_->fail(field, "string_type", "Input should be a valid string");
    return std::nullopt;
}

std::optional<std::vector<std::string>> BodyReader::strings(const char* field) {
    const Json* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return std::vector{value->get<std::string>()};
    std::vector<std::string> list;
    bool good = value->is_array();
    if (good)
        for (const Json& element : *value)
            if (good = good && element.is_string(); good) list.push_back(element);
    if (good) return list;
    impl_->fail(field, "string_type", "Input should be a valid string or a list of strings");
    return std::nullopt;
}

std::optional<std::vector<Token>> BodyReader::tokens(const char* field) {
    const Json* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    return impl_->to_tokens(*value, field);
}

std::optional<std::vector<Prompt>> BodyReader::prompts(const char* field) {
    const Json* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    std::vector<Prompt> list;
    const bool of_texts =
        value->is_string() || (value->is_array() && !value->empty() && value->front().is_string());
    if (of_texts) {
        std::optional<std::vector<std::string>> texts = strings(field);
        if (!texts) return std::nullopt;
        for (std::string& text : *texts) list.emplace_back(std::move(text));
        return list;
    }
    if (!value->is_array()) {
        impl_->fail(field, "prompt_type",
                    "Input should be a string, a list of strings, or lists of token ids");
        return std::nullopt;
    }
    const auto add = [&](const Json& ids) {
        std::optional<std::vector<Token>> tokens = impl_->to_tokens(ids, field);
        if (tokens) list.emplace_back(*std::move(tokens));
        return tokens.has_value();
    };
    if (value->empty()) return list;
    if (!value->front().is_array())
        return add(*value) ? std::optional(std::move(list)) : std::nullopt;
    for (const Json& ids : *value)
        if (!add(ids)) return std::nullopt;
    return list;
}

std::optional<BodyReader> BodyReader::object(const char* field) {
    const Json* value = impl_->find(field);
    if (value == nullptr) return std::nullopt;
    if (!value->is_object()) {
        impl_->fail(field, "dict_type", "Input should be a valid dictionary");
        return std::nullopt;
    }
    auto inner = std::make_unique<Impl>();
    inner->json = *value;
    inner->prefix = impl_->prefix + field + ".";
    return BodyReader(std::move(inner));
}

const std::optional<RequestError>& BodyReader::error() const { return impl_->error; }

void BodyReader::fail(RequestError error) {
    if (!impl_->error) impl_->error = std::move(error);
}

void BodyReader::adopt(const BodyReader& inner) {
    if (inner.error()) fail(*inner.error());
}

}  // namespace fathom::api
