#include "text/argument_types.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

namespace fathom {
namespace {

using Kind = PythonValue::Kind;

// Bound what a schema that refers to itself can cost.
constexpr size_t kStepsBase = 4096;
constexpr size_t kStepsPerByte = 16;
constexpr int kDepthMax = 64;

// In the order in which a text is tried.
enum Type : unsigned {
    kNull = 1,
    kInteger = 2,
    kNumber = 4,
    kBoolean = 8,
    kObject = 16,
    kArray = 32,
    kString = 64,
};

unsigned type_of(Kind kind) {
    switch (kind) {
        case Kind::null: return kNull;
        case Kind::boolean: return kBoolean;
        case Kind::integer: return kInteger;
        case Kind::number: return kNumber;
        case Kind::string: return kString;
        case Kind::array: return kArray;
        case Kind::object: return kObject;
    }
    return 0;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

std::string_view trimmed(std::string_view text) {
    constexpr const char* kBlank = " \t\r\n";
    const size_t begin = text.find_first_not_of(kBlank);
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

// JSON schema's names, and those that people write instead.
unsigned type_named(std::string_view name) {
    static constexpr std::pair<const char*, Type> kNames[] = {
        {"null", kNull},      {"none", kNull},       {"integer", kInteger}, {"int", kInteger},
        {"int32", kInteger},  {"int64", kInteger},   {"uint", kInteger},    {"long", kInteger},
        {"number", kNumber},  {"float", kNumber},    {"double", kNumber},   {"float32", kNumber},
        {"float64", kNumber}, {"boolean", kBoolean}, {"bool", kBoolean},    {"object", kObject},
        {"dict", kObject},    {"array", kArray},     {"list", kArray},      {"sequence", kArray},
        {"tuple", kArray},    {"string", kString},   {"str", kString},      {"text", kString},
        {"enum", kString},
    };
    const std::string wanted = lower(trimmed(name));
    for (const auto& [known, type] : kNames)
        if (wanted == known) return type;
    return 0;
}

// An integer as Python's int() reads it, as Python writes it; none if the text is no integer.
std::optional<std::string> integer_text(std::string_view text) {
    text = trimmed(text);
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    if (text.empty() ||
        !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }))
        return std::nullopt;
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
    return str(negative && text != "0" ? "-" : "", text);
}

std::optional<std::string> number_text(std::string_view text) {
    if (auto integer = integer_text(text)) return integer;
    text = trimmed(text);
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
        return std::nullopt;
    if (value == std::trunc(value) && std::abs(value) < 0x1p63)
        return std::to_string(static_cast<int64_t>(value));
    return python_float(value);
}

PythonValue plain(Kind kind, std::string text) { return {.kind = kind, .text = std::move(text)}; }

// One conversion with one schema.
class Converter {
public:
    // bytes: of the value's text
    explicit Converter(const PythonValue& root, size_t bytes = 0)
        : root_(root), steps_left_(kStepsBase + kStepsPerByte * bytes) {}

    // All types that the schema allows; 0: it does not say.
    unsigned types(const PythonValue& schema, int depth = 0) {
        // Entered first without types, which ends schemas that contain themselves.
        const auto [known, is_new] = types_.emplace(&schema, 0u);
        if (!is_new) return known->second;
        const unsigned found = find_types(schema, depth);
        return types_[&schema] = found;
    }

    PythonValue convert(PythonValue value, const PythonValue& schema, int depth = 0) {
        if (!schema.is(Kind::object) || spent(depth)) return value;
        const unsigned allowed = types(schema);
        if (allowed == 0) return inside(std::move(value), schema, depth);
        if (value.is(Kind::string)) return inside(from_text(value.text, allowed), schema, depth);
        if (value.is(Kind::number) && (allowed & (kInteger | kNumber)) != 0) {
            const std::optional<std::string> text = number_text(value.text);
            if (text && integer_text(*text)) return plain(Kind::integer, *text);
            if ((allowed & kNumber) != 0) return value;
        }
        unsigned type = type_of(value.kind);
        if (type == kInteger) type |= kNumber;
        if ((allowed & type) != 0) return inside(std::move(value), schema, depth);
        // Of another type than any that is allowed: what its text can be.
        PythonValue other = from_text(python_dumps(value), allowed);
        return (allowed & type_of(other.kind)) != 0 ? other : value;
    }

    // The part of the root that $ref names: "#/$defs/Name".
    const PythonValue* referred(const PythonValue& schema) const {
        const PythonValue* ref = schema.find("$ref");
        if (ref == nullptr || !ref->is(Kind::string) || !ref->text.starts_with('#')) return nullptr;
        const PythonValue* at = &root_;
        std::string_view path = std::string_view(ref->text).substr(1);
        while (at != nullptr && !path.empty()) {
            if (path[0] != '/') return nullptr;
            path.remove_prefix(1);
            const std::string_view key = path.substr(0, path.find('/'));
            path.remove_prefix(key.size());
            at = at->find(unescaped(key));
        }
        return at;
    }

private:
    // A step of the conversion, while there is one left.
    bool spent(int depth) {
        if (depth > kDepthMax || steps_left_ == 0) return true;
        --steps_left_;
        return false;
    }

    unsigned find_types(const PythonValue& schema, int depth) {
        if (!schema.is(Kind::object) || spent(depth)) return 0;
        unsigned found = 0;
        if (const PythonValue* target = referred(schema)) found |= types(*target, depth + 1);
        if (const PythonValue* type = schema.find("type")) {
            if (type->is(Kind::string)) found |= type_named(type->text);
            for (const PythonValue& item : type->items)
                if (item.is(Kind::string)) found |= type_named(item.text);
        }
        if (found == 0) {
            if (const PythonValue* values = schema.find("enum"))
                for (const PythonValue& value : values->items) found |= type_of(value.kind);
            if (const PythonValue* value = schema.find("const")) found |= type_of(value->kind);
        }
        for (const char* group : {"anyOf", "oneOf", "allOf"})
            if (const PythonValue* choices = schema.find(group))
                for (const PythonValue& choice : choices->items) found |= types(choice, depth + 1);
        if (found == 0 && schema.find("properties") != nullptr) found = kObject;
        if (found == 0 && schema.find("items") != nullptr) found = kArray;
        return found;
    }

    static std::string unescaped(std::string_view key) {
        std::string out;
        for (size_t i = 0; i < key.size(); ++i) {
            const bool escape = key[i] == '~' && i + 1 < key.size();
            if (escape && (key[i + 1] == '0' || key[i + 1] == '1'))
                out += key[++i] == '0' ? '~' : '/';
            else
                out += key[i];
        }
        return out;
    }

    // The first allowed type that the text can be read as; else JSON; else itself.
    static PythonValue from_text(const std::string& text, unsigned allowed) {
        // A number that would be written otherwise ("007") stays text where text is allowed.
        const auto keeps = [&](const std::optional<std::string>& number) {
            return number && ((allowed & kString) == 0 || *number == text);
        };
        if ((allowed & kNull) != 0 && lower(text) == "null") return plain(Kind::null, {});
        if ((allowed & kInteger) != 0)
            if (auto number = integer_text(text); keeps(number))
                return plain(Kind::integer, *number);
        if ((allowed & kNumber) != 0)
            if (auto number = number_text(text); keeps(number))
                return plain(integer_text(*number) ? Kind::integer : Kind::number, *number);
        if ((allowed & kBoolean) != 0) {
            const std::string word = lower(trimmed(text));
            if (word == "true" || word == "1") return plain(Kind::boolean, "true");
            if (word == "false" || word == "0") return plain(Kind::boolean, "false");
        }
        if ((allowed & (kObject | kArray)) != 0)
            if (Result<PythonValue> value = python_loads(text);
                value.ok() && (type_of(value.value().kind) & allowed & (kObject | kArray)) != 0)
                return std::move(value).value();
        if ((allowed & kString) != 0) return plain(Kind::string, text);
        if (Result<PythonValue> value = python_loads(text); value.ok())
            return std::move(value).value();
        return plain(Kind::string, text);
    }

    // Converts what is in an object or array.
    PythonValue inside(PythonValue value, const PythonValue& schema, int depth) {
        if (spent(depth) || (!value.is(Kind::object) && !value.is(Kind::array))) return value;
        if (const PythonValue* target = referred(schema))
            value = inside(std::move(value), *target, depth + 1);
        for (size_t i = 0; i < value.items.size(); ++i)
            if (const PythonValue* item = schema_of_item(value, i, schema))
                value.items[i] = convert(std::move(value.items[i]), *item, depth + 1);
        if (const PythonValue* all = schema.find("allOf"))
            for (const PythonValue& part : all->items)
                value = inside(std::move(value), part, depth + 1);
        for (const char* group : {"anyOf", "oneOf"})
            if (const PythonValue* choices = schema.find(group))
                if (const PythonValue* choice = choice_for(value, *choices))
                    value = inside(std::move(value), *choice, depth + 1);
        return value;
    }

    static const PythonValue* schema_of_item(const PythonValue& value, size_t i,
                                             const PythonValue& schema) {
        if (value.is(Kind::array)) {
            const PythonValue* first = schema.find("prefixItems");
            if (first != nullptr && i < first->items.size()) return &first->items[i];
            return schema.find("items");
        }
        const PythonValue* properties = schema.find("properties");
        const PythonValue* named = properties ? properties->find(value.keys[i]) : nullptr;
        return named ? named : schema.find("additionalProperties");
    }

    // The first choice of the value's type that knows all keys of an object; else the first of its
    // type.
    const PythonValue* choice_for(const PythonValue& value, const PythonValue& choices) {
        const PythonValue* first = nullptr;
        for (const PythonValue& choice : choices.items) {
            if ((types(choice) & type_of(value.kind)) == 0) continue;
            if (first == nullptr) first = &choice;
            const PythonValue* target = referred(choice);
            const PythonValue* properties = (target ? *target : choice).find("properties");
            if (properties == nullptr) continue;
            if (std::all_of(value.keys.begin(), value.keys.end(),
                            [&](const std::string& key) { return properties->find(key); }))
                return &choice;
        }
        return first;
    }

    const PythonValue& root_;
    size_t steps_left_;
    std::unordered_map<const PythonValue*, unsigned> types_;
};

}  // namespace

ArgumentTypes::ArgumentTypes(std::string_view schema) {
    Result<PythonValue> value = python_loads(schema);
    if (value.ok() && value.value().is(Kind::object)) schema_ = std::move(value).value();
}

const PythonValue* ArgumentTypes::properties() const {
    const PythonValue* schema = &schema_;
    for (int hops = 0; schema != nullptr && hops < kDepthMax; ++hops) {
        if (const PythonValue* found = schema->find("properties")) return found;
        schema = Converter(schema_).referred(*schema);
    }
    return nullptr;
}

const PythonValue* ArgumentTypes::property(std::string_view name) const {
    const PythonValue* all = properties();
    return all ? all->find(name) : nullptr;
}

bool ArgumentTypes::stays_text(std::string_view name) const {
    const PythonValue* schema = property(name);
    if (schema == nullptr) return true;
    const unsigned types = Converter(schema_).types(*schema);
    return types == 0 || types == kString;
}

std::string ArgumentTypes::to_json(std::string_view name, std::string_view text,
                                   bool is_string) const {
    const PythonValue* schema = property(name);
    PythonValue value = plain(Kind::string, std::string(text));
    // A text is a text as it stands, not as its JSON would be written.
    const bool only_text = schema && Converter(schema_).types(*schema) == kString;
    if (!is_string) {
        Result<PythonValue> parsed = python_loads(text);
        if (parsed.ok() && (!only_text || parsed.value().is(Kind::string)))
            value = std::move(parsed).value();
    }
    if (schema != nullptr)
        value = Converter(schema_, text.size()).convert(std::move(value), *schema);
    return python_dumps(value);
}

bool ArgumentTypes::may_wrap(std::string_view name) const {
    if (name != "arguments" && name != "input") return false;
    const PythonValue* all = properties();
    return all != nullptr && !all->keys.empty() && all->find(name) == nullptr;
}

std::optional<std::vector<ArgumentTypes::Member>> ArgumentTypes::unwrapped(
    std::string_view text) const {
    Result<PythonValue> parsed = python_loads(text);
    if (!parsed.ok() || !parsed.value().is(Kind::object)) return std::nullopt;
    PythonValue& object = parsed.value();
    std::vector<Member> members;
    for (size_t i = 0; i < object.keys.size(); ++i) {
        const PythonValue* schema = property(object.keys[i]);
        if (schema == nullptr) return std::nullopt;
        const PythonValue value =
            Converter(schema_, text.size()).convert(std::move(object.items[i]), *schema);
        members.push_back({object.keys[i], python_dumps(value)});
    }
    return members;
}

}  // namespace fathom
