#include "text/python_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "text/json_value.h"

namespace fathom {
namespace {

using Json = nlohmann::json;
using Kind = PythonValue::Kind;

constexpr size_t kDepthMax = 128;

bool is_integer_text(std::string_view text) {
    return text.find_first_of(".eE") == std::string_view::npos;
}

// Sorts the keys; of those that are there twice the first place and the last value stay.
void seal_object(PythonValue& object) {
    std::vector<uint32_t>& sorted = object.sorted;
    sorted.resize(object.keys.size());
    std::iota(sorted.begin(), sorted.end(), 0u);
    const auto by_key = [&](uint32_t a, uint32_t b) {
        const int order = object.keys[a].compare(object.keys[b]);
        return order != 0 ? order < 0 : a < b;
    };
    std::sort(sorted.begin(), sorted.end(), by_key);
    std::vector<bool> drop(sorted.size());
    bool twice = false;
    for (size_t first = 0, i = 1; i < sorted.size(); ++i) {
        if (object.keys[sorted[i]] != object.keys[sorted[first]]) {
            first = i;
            continue;
        }
        std::swap(object.items[sorted[first]], object.items[sorted[i]]);
        drop[sorted[i]] = twice = true;
    }
    if (!twice) return;
    size_t kept = 0;
    for (size_t i = 0; i < drop.size(); ++i) {
        if (drop[i]) continue;
        if (kept != i) {
            object.keys[kept] = std::move(object.keys[i]);
            object.items[kept] = std::move(object.items[i]);
        }
        ++kept;
    }
    object.keys.resize(kept);
    object.items.resize(kept);
    seal_object(object);
}

// Builds the value as nlohmann's parser reports its parts. Its own tree would lose how numbers were
// written, and takes the square of the number of keys where their order is kept.
class Builder : public nlohmann::json_sax<Json> {
public:
    bool null() override { return add({.kind = Kind::null}); }
    bool boolean(bool value) override {
        return add({.kind = Kind::boolean, .text = value ? "true" : "false"});
    }
    bool number_integer(number_integer_t value) override {
        return add({.kind = Kind::integer, .text = std::to_string(value)});
    }
    bool number_unsigned(number_unsigned_t value) override {
        return add({.kind = Kind::integer, .text = std::to_string(value)});
    }
    bool number_float(number_float_t value, const string_t& text) override {
        if (is_integer_text(text)) return add({.kind = Kind::integer, .text = text});
        return add({.kind = Kind::number, .text = python_float(value)});
    }
    bool string(string_t& value) override {
        return add({.kind = Kind::string, .text = std::move(value)});
    }
    bool binary(binary_t&) override { return false; }
    bool start_object(size_t) override { return open(Kind::object); }
    bool start_array(size_t) override { return open(Kind::array); }
    bool key(string_t& key) override {
        open_.back()->keys.push_back(std::move(key));
        return true;
    }
    bool end_object() override {
        seal_object(*open_.back());
        open_.pop_back();
        return true;
    }
    bool end_array() override {
        open_.pop_back();
        return true;
    }
    bool parse_error(size_t byte, const std::string&, const Json::exception& e) override {
        constexpr int kNumberOverflow = 406;
        error_ = e.id == kNumberOverflow ? str("a number too large before byte ", byte)
                                         : str("no JSON at byte ", byte);
        return false;
    }

    PythonValue& value() { return root_; }
    const std::string& error() const { return error_; }

private:
    bool add(PythonValue value) {
        put(std::move(value));
        return true;
    }
    bool open(Kind kind) {
        if (open_.size() == kDepthMax) {
            error_ = str("JSON nested more than ", kDepthMax, " deep");
            return false;
        }
        // Pointers stay good: what holds the value gets no other item while the value is open.
        open_.push_back(put({.kind = kind}));
        return true;
    }
    PythonValue* put(PythonValue value) {
        if (open_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        open_.back()->items.push_back(std::move(value));
        return &open_.back()->items.back();
    }

    PythonValue root_;
    std::vector<PythonValue*> open_;
    std::string error_;
};

void append_dumps(std::string& out, const PythonValue& value) {
    const bool object = value.is(Kind::object);
    switch (value.kind) {
        case Kind::null: out += "null"; return;
        case Kind::boolean:
        case Kind::integer:
        case Kind::number: out += value.text; return;
        case Kind::string: out += json_quoted(value.text); return;
        case Kind::array:
        case Kind::object: break;
    }
    out += object ? '{' : '[';
    for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out += ", ";
        if (object) out.append(json_quoted(value.keys[i])).append(": ");
        append_dumps(out, value.items[i]);
    }
    out += object ? '}' : ']';
}

}  // namespace

const PythonValue* PythonValue::find(std::string_view key) const {
    const auto at = std::partition_point(sorted.begin(), sorted.end(),
                                         [&](uint32_t i) { return keys[i] < key; });
    return at == sorted.end() || keys[*at] != key ? nullptr : &items[*at];
}

Result<PythonValue> python_loads(std::string_view json) {
    Builder builder;
    if (!Json::sax_parse(json, &builder)) return Error{Code::invalid_argument, builder.error()};
    return std::move(builder.value());
}

std::string python_dumps(const PythonValue& value) {
    std::string out;
    append_dumps(out, value);
    return out;
}

Result<std::string> python_json(std::string_view json) {
    Result<PythonValue> value = python_loads(json);
    if (!value.ok()) return std::move(value).error();
    return python_dumps(value.value());
}

std::string python_float(double value) {
    const double size = std::abs(value);
    const bool fixed = size == 0 || (size >= 1e-4 && size < 1e16);
    char text[40];
    const auto end = std::to_chars(text, text + sizeof text, value,
                                   fixed ? std::chars_format::fixed : std::chars_format::scientific)
                         .ptr;
    std::string out(text, end);
    if (fixed && out.find('.') == out.npos) out += ".0";
    return out;
}

}  // namespace fathom
