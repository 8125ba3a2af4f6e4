#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace fathom {

// A JSON text as a tree that keeps the order of keys and takes little memory: 16 bytes a value, and
// the strings. Reading is linear in the text whatever it holds, so strangers may send it.
class JsonValue {
public:
    struct Member;
    using Array = std::vector<JsonValue>;
    using Object = std::vector<Member>;

    // Nested at most depth_max deep; strict RFC 8259 and valid UTF-8; no number beyond a double.
    // invalid_argument: "JSON decode error at byte 12".
    static Result<JsonValue> parse(std::string_view text, int depth_max = 128);

    JsonValue() = default;  // null
    explicit JsonValue(bool value) : value_(value) {}
    explicit JsonValue(int64_t value) : value_(value) {}
    explicit JsonValue(uint64_t value) : value_(value) {}
    explicit JsonValue(double value) : value_(value) {}
    explicit JsonValue(std::string value);
    explicit JsonValue(Array value);
    explicit JsonValue(Object value);
    JsonValue(JsonValue&&) noexcept;
    JsonValue& operator=(JsonValue&&) noexcept;
    ~JsonValue();

    bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
    // Null when it is something else. Numbers are int64 where they fit, uint64 above, else double.
    const bool* boolean() const { return std::get_if<bool>(&value_); }
    const int64_t* integer() const { return std::get_if<int64_t>(&value_); }
    const uint64_t* large_integer() const { return std::get_if<uint64_t>(&value_); }
    const double* real() const { return std::get_if<double>(&value_); }
    const std::string* string() const { return get<std::string>(); }
    const Array* array() const { return get<Array>(); }
    const Object* object() const { return get<Object>(); }
    bool is_number() const { return integer() || large_integer() || real(); }
    double number() const;  // REQUIRES is_number()

    // The member of that name, null without one. Of several the last counts, as in Python.
    const JsonValue* find(std::string_view key) const;

    // Compact, keys in their order; of a repeated key the last value, in the first one's place.
    std::string dump() const;

private:
    template <class T>
    const T* get() const {
        const auto* owner = std::get_if<std::unique_ptr<T>>(&value_);
        return owner == nullptr ? nullptr : owner->get();
    }
    friend class JsonTreeBuilder;

    std::variant<std::monostate, bool, int64_t, uint64_t, double, std::unique_ptr<std::string>,
                 std::unique_ptr<Array>, std::unique_ptr<Object>>
        value_;
};

struct JsonValue::Member {
    std::string key;
    JsonValue value;
};

// Appends the inside of a JSON string, without the quotes; the text may be part of a longer one.
void append_json_escaped(std::string& out, std::string_view text);

// `text` as a JSON string, in quotes; only ", \ and control characters are escaped. Invalid UTF-8
// becomes U+FFFD.
std::string json_quoted(std::string_view text);

}  // namespace fathom
