#include "text/json_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "text/utf8.h"

namespace fathom {

// Takes the events of the parser; strings are moved out of its buffer, not copied. The names of the
// functions are the parser's.
class JsonTreeBuilder {
public:
    explicit JsonTreeBuilder(int depth_max) : depth_max_(depth_max) {}

    bool null() { return add(JsonValue()); }
    bool boolean(bool value) { return add(JsonValue(value)); }
    bool number_integer(int64_t value) { return add(JsonValue(value)); }
    bool number_unsigned(uint64_t value) {
        if (value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
            return add(JsonValue(static_cast<int64_t>(value)));
        return add(JsonValue(value));
    }
    bool number_float(double value, const std::string&) {
        if (std::isfinite(value)) return add(JsonValue(value));
        problem_ = "JSON decode error: a number is too large";
        return false;
    }
    bool string(std::string& value) {
        value.shrink_to_fit();
        return add(JsonValue(std::move(value)));
    }
    bool binary(std::vector<std::uint8_t>&) { return false; }
    bool start_object(std::size_t) { return open(JsonValue(JsonValue::Object())); }
    bool key(std::string& name) {
        key_ = std::move(name);
        return true;
    }
    bool end_object() { return close(); }
    bool start_array(std::size_t) { return open(JsonValue(JsonValue::Array())); }
    bool end_array() { return close(); }
    template <class Exception>
    bool parse_error(std::size_t position, const std::string&, const Exception& error) {
        problem_ = error.id == 406 ? "JSON decode error: a number is too large"
                                   : str("JSON decode error at byte ", position);
        return false;
    }

    JsonValue take() { return std::move(root_); }
    const std::string& problem() const { return problem_; }

private:
    // Where the next value goes; its address is good until its container grows.
    JsonValue* place(JsonValue value) {
        if (open_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        if (auto* array = std::get_if<std::unique_ptr<JsonValue::Array>>(&open_.back()->value_))
            return &(*array)->emplace_back(std::move(value));
        auto& object = *std::get<std::unique_ptr<JsonValue::Object>>(open_.back()->value_);
        object.push_back({std::move(key_), std::move(value)});
        return &object.back().value;
    }
    bool add(JsonValue value) {
        place(std::move(value));
        return true;
    }
    // While a container is open nothing is added to the one around it: its address stays.
    bool open(JsonValue container) {
        if (static_cast<int>(open_.size()) == depth_max_) {
            problem_ = str("JSON decode error: nested more than ", depth_max_, " levels deep");
            return false;
        }
        open_.push_back(place(std::move(container)));
        return true;
    }
    bool close() {
        if (auto* array = std::get_if<std::unique_ptr<JsonValue::Array>>(&open_.back()->value_))
            (*array)->shrink_to_fit();
        open_.pop_back();
        return true;
    }

    const int depth_max_;
    JsonValue root_;
    std::vector<JsonValue*> open_;
    std::string key_;
    std::string problem_;
};

namespace {

void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    append_json_escaped(out, text);
    out += '"';
}

template <class T>
void append_number(std::string& out, T value) {
    char text[40];
    out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

// The shortest that reads back the same, and as a number with a fraction.
void append_real(std::string& out, double value) {
    const size_t begin = out.size();
    append_number(out, value);
    if (out.find_first_of(".e", begin) == out.npos) out += ".0";
}

void append(std::string& out, const JsonValue& value);

// Hashed, so that many keys cost no more than their length.
void append_object(std::string& out, const JsonValue::Object& object) {
    std::unordered_map<std::string_view, const JsonValue*> last;
    for (const auto& [key, value] : object) last[key] = &value;
    out += '{';
    for (const auto& [key, value] : object) {
        const auto found = last.find(key);
        if (found->second == nullptr) continue;  // Written already.
        if (out.back() != '{') out += ',';
        append_quoted(out, key);
        out += ':';
        append(out, *std::exchange(found->second, nullptr));
    }
    out += '}';
}

void append(std::string& out, const JsonValue& value) {
    if (value.is_null()) {
        out += "null";
    } else if (const bool* boolean = value.boolean()) {
        out += *boolean ? "true" : "false";
    } else if (const int64_t* integer = value.integer()) {
        append_number(out, *integer);
    } else if (const uint64_t* large = value.large_integer()) {
        append_number(out, *large);
    } else if (const double* real = value.real()) {
        append_real(out, *real);
    } else if (const std::string* text = value.string()) {
        append_quoted(out, *text);
    } else if (const JsonValue::Array* array = value.array()) {
        out += '[';
        for (const JsonValue& element : *array) {
            if (&element != &array->front()) out += ',';
            append(out, element);
        }
        out += ']';
    } else {
        append_object(out, *value.object());
    }
}

}  // namespace

JsonValue::JsonValue(std::string value) : value_(std::make_unique<std::string>(std::move(value))) {}
JsonValue::JsonValue(Array value) : value_(std::make_unique<Array>(std::move(value))) {}
JsonValue::JsonValue(Object value) : value_(std::make_unique<Object>(std::move(value))) {}
JsonValue::JsonValue(JsonValue&&) noexcept = default;
JsonValue& JsonValue::operator=(JsonValue&&) noexcept = default;
JsonValue::~JsonValue() = default;

Result<JsonValue> JsonValue::parse(std::string_view text, int depth_max) {
    if (text.starts_with("\xef\xbb\xbf"))  // The parser would skip it; RFC 8259 has none.
        return Error{Code::invalid_argument, "JSON decode error at byte 1: a byte order mark"};
    JsonTreeBuilder builder(depth_max);
    if (!nlohmann::json::sax_parse(text, &builder)) {
        CHECK(!builder.problem().empty(), "the parser gave up and did not say why");
        return Error{Code::invalid_argument, builder.problem()};
    }
    return builder.take();
}

double JsonValue::number() const {
    if (const int64_t* value = integer()) return static_cast<double>(*value);
    if (const uint64_t* value = large_integer()) return static_cast<double>(*value);
    CHECK(real() != nullptr, "no number");
    return *real();
}

const JsonValue* JsonValue::find(std::string_view key) const {
    const Object* members = object();
    if (members == nullptr) return nullptr;
    for (auto member = members->rbegin(); member != members->rend(); ++member)
        if (member->key == key) return &member->value;
    return nullptr;
}

std::string JsonValue::dump() const {
    std::string out;
    append(out, *this);
    return out;
}

void append_json_escaped(std::string& out, std::string_view text) {
    constexpr char kHex[] = "0123456789abcdef";
    size_t plain = 0;  // where what needs no escape begins
    for (size_t i = 0; i < text.size(); ++i) {
        const auto code = static_cast<unsigned char>(text[i]);
        if (code >= 32 && code != '"' && code != '\\') continue;
        out += text.substr(plain, i - plain);
        plain = i + 1;
        switch (text[i]) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\b': out += "\\b"; break;
            case '\f': out += "\\f"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default: out.append("\\u00").append({kHex[code >> 4], kHex[code & 15]}); break;
        }
    }
    out += text.substr(plain);
}

std::string json_quoted(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 8);
    const auto stays = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
    if (std::ranges::all_of(text, stays)) return out.append("\"").append(text).append("\"");
    append_quoted(out, to_valid_utf8(text));
    return out;
}

}  // namespace fathom
