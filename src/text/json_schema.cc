#include "text/json_schema.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "text/expression.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kBytesMax = 256 << 10;
constexpr int kDepthMax = 64;         // of brackets
constexpr size_t kSchemasMax = 4096;  // with their subschemas
constexpr size_t kEnumMax = 4096;     // values of all enums together
constexpr int64_t kCountMax = 1 << 16;
constexpr size_t kOptionalMax = 256;  // of one object: any of them may be the next
// The compiler recurses through a schema and what it refers to; this bounds its stack.
constexpr size_t kNestingMax = 1000;

// A count of another kind of object would be an own state of the grammar each.
constexpr const char* kCounts[] = {"minLength", "maxLength",     "minItems",
                                   "maxItems",  "minProperties", "maxProperties"};
// What a grammar without memory cannot hold to.
constexpr const char* kRefused[] = {
    "not",          "if",           "then",        "else",        "dependentRequired",
    "dependencies", "contains",     "minContains", "maxContains", "dependentSchemas",
    "$dynamicRef",  "$recursiveRef"};
// These say the whole of a value; the compiler looks at nothing beside them.
constexpr const char* kCombiners[] = {"$ref", "anyOf", "oneOf", "allOf"};
constexpr const char* kAssertions[] = {"properties",
                                       "patternProperties",
                                       "additionalProperties",
                                       "required",
                                       "propertyNames",
                                       "items",
                                       "prefixItems",
                                       "minLength",
                                       "maxLength",
                                       "pattern",
                                       "minItems",
                                       "maxItems",
                                       "minProperties",
                                       "maxProperties",
                                       "minimum",
                                       "maximum",
                                       "exclusiveMinimum",
                                       "exclusiveMaximum",
                                       "multipleOf",
                                       "enum",
                                       "const",
                                       "$ref",
                                       "anyOf",
                                       "oneOf",
                                       "allOf"};
constexpr const char* kTypes[] = {"object",  "array",   "string", "number",
                                  "integer", "boolean", "null"};

std::string shown(const Json& value) {
    constexpr size_t kShown = 60;
    const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return text.size() <= kShown ? text : to_valid_utf8(text.substr(0, kShown)) + "...";
}

bool too_deep(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '"') in_string = !in_string;
        if (in_string && c == '\\') ++i;
        if (in_string) continue;
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        if (depth > kDepthMax) return true;
    }
    return false;
}

class Checker {
public:
    explicit Checker(Json& root) : root_(root) {}

    // The first thing that is wrong.
    std::optional<std::string> run() {
        visit(root_, "$");
        for (const auto& [target, at] : refs_)
            if (!index_.contains(target))
                fail(schemas_[at].path + ".$ref", "it leads to what is no schema");
        if (error_) return error_;
        size_t nesting = schemas_[0].height;
        for (const auto& [schema, at] : refs_) nesting += schemas_[index_.at(schema)].height;
        if (nesting > kNestingMax)
            fail("$", str("$refs that together nest ", nesting, " levels deep; at most ",
                          kNestingMax, " can be compiled"));
        check_endings();
        return error_;
    }

private:
    struct Schema {
        const Json* json;
        std::string path;
        size_t height = 1;
        const Json* target = nullptr;  // of its $ref
        bool ends = false;             // A finite value satisfies it, as far as known.
        int color = 0;                 // of the search for circles: new, open, done
    };

    void fail(const std::string& path, const std::string& what) {
        if (!error_) error_ = str(path, ": ", what);
    }

    size_t visit(Json& schema, const std::string& path) {
        if (error_) return 0;
        if (!schema.is_object() && !schema.is_boolean())
            fail(path, str("a schema is an object, not ", shown(schema)));
        if (schemas_.size() >= kSchemasMax)
            fail(path, str("more than ", kSchemasMax, " subschemas; ask for less at once"));
        if (error_) return 0;
        const size_t index = schemas_.size();
        schemas_.push_back({.json = &schema, .path = path});
        index_[&schema] = index;
        if (schema.is_object()) {
            check_keywords(schema, path);
            spell_length(schema, path);  // Before its parts: they move when it gets a member.
            close(schema);
            const size_t height = visit_parts(schema, path);
            follow_ref(schema, index);
            schemas_[index].height = height + 1;
        }
        return schemas_[index].height;
    }

    size_t visit_parts(Json& schema, const std::string& path) {
        size_t height = 0;
        const auto visit_one = [&](Json& part, const std::string& at) {
            height = std::max(height, visit(part, at));
        };
        for (const char* key : {"properties", "patternProperties", "$defs", "definitions"}) {
            const auto found = schema.find(key);
            if (found == schema.end()) continue;
            if (!found->is_object())
                return fail(str(path, ".", key),
                            str("an object of schemas is expected, not ", shown(*found))),
                       0;
            for (auto& [name, part] : found->items())
                visit_one(part, str(path, ".", key, ".", to_valid_utf8(name)));
        }
        for (const char* key : {"anyOf", "oneOf", "allOf", "prefixItems"}) {
            const auto found = schema.find(key);
            if (found == schema.end()) continue;
            if (!found->is_array() || found->empty())
                return fail(str(path, ".", key),
                            str("a list of schemas is expected, not ", shown(*found))),
                       0;
            for (size_t i = 0; i < found->size(); ++i)
                visit_one((*found)[i], str(path, ".", key, "[", i, "]"));
        }
        for (const char* key : {"items", "additionalProperties", "propertyNames",
                                "unevaluatedProperties", "unevaluatedItems"}) {
            const auto found = schema.find(key);
            if (found != schema.end()) visit_one(*found, str(path, ".", key));
        }
        return height;
    }

    void check_keywords(const Json& schema, const std::string& path) {
        for (const char* key : kRefused)
            if (schema.contains(key))
                fail(str(path, ".", key), "this keyword cannot be held to while decoding");
        if (schema.contains("uniqueItems") && schema["uniqueItems"] != false)
            fail(str(path, ".uniqueItems"), "this keyword cannot be held to while decoding");
        if (schema.contains("allOf") && schema["allOf"].size() > 1)
            fail(str(path, ".allOf"), "more than one schema at once cannot be held to; merge them");
        for (const char* combiner : kCombiners) {
            if (!schema.contains(combiner)) continue;
            for (const char* key : kAssertions)
                if (schema.contains(key) && std::string_view(key) != combiner)
                    fail(str(path, ".", combiner),
                         str("beside ", key, " it cannot be held to; put both into one schema"));
        }
        check_type(schema, path);
        check_numbers(schema, path);
        check_names(schema, path);
        check_values(schema, path);
    }

    void check_type(const Json& schema, const std::string& path) {
        const auto found = schema.find("type");
        if (found == schema.end()) return;
        const Json list = found->is_array() ? *found : Json::array({*found});
        if (list.empty()) fail(str(path, ".type"), "the list of types is empty");
        for (const Json& type : list)
            if (std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes))
                fail(str(path, ".type"), str(shown(type), " is no type; expected object, array, ",
                                             "string, number, integer, boolean or null"));
    }

    void check_numbers(const Json& schema, const std::string& path) {
        for (const char* key : kCounts) {
            const auto found = schema.find(key);
            if (found == schema.end()) continue;
            if (!found->is_number_integer() || *found < 0 || *found > kCountMax)
                fail(str(path, ".", key), str("a whole number from 0 to ", kCountMax,
                                              " is expected, not ", shown(*found)));
        }
        for (const char* key : {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}) {
            const auto found = schema.find(key);
            if (found == schema.end()) continue;
            // Beyond 2^53 a double, which the compiler counts with, skips whole numbers.
            if (!found->is_number() || std::abs(found->get<double>()) > 9007199254740992.0)
                fail(str(path, ".", key),
                     str("a number of at most 2^53 is expected, not ", shown(*found)));
        }
        const auto multiple = schema.find("multipleOf");
        if (multiple == schema.end()) return;
        if (schema.value("type", Json()) != "integer" || !multiple->is_number_integer() ||
            *multiple < 1 || *multiple > kMultipleMax)
            fail(str(path, ".multipleOf"),
                 str("only whole multiples up to ", kMultipleMax,
                     " of an integer can be held to, not ", shown(*multiple)));
    }

    void check_names(const Json& schema, const std::string& path) {
        const auto required = schema.find("required");
        const auto properties = schema.find("properties");
        if (properties != schema.end() && properties->is_object() &&
            properties->size() > kOptionalMax + (required != schema.end() ? required->size() : 0))
            fail(str(path, ".properties"), str("more than ", kOptionalMax, " optional ones"));
        if (required == schema.end()) return;
        if (!required->is_array())
            return fail(str(path, ".required"),
                        str("a list of names is expected, not ", shown(*required)));
        for (const Json& name : *required) {
            if (!name.is_string())
                return fail(str(path, ".required"), str("a name is expected, not ", shown(name)));
            if (properties == schema.end() || !properties->is_object() ||
                !properties->contains(name.get<std::string>()))
                fail(str(path, ".required"), str(shown(name), " is not among the properties"));
        }
    }

    void check_values(const Json& schema, const std::string& path) {
        if (const auto list = schema.find("enum"); list != schema.end()) {
            if (!list->is_array() || list->empty())
                return fail(str(path, ".enum"),
                            str("a list of values is expected, not ", shown(*list)));
            enum_values_ += list->size();
            if (enum_values_ > kEnumMax)
                fail(str(path, ".enum"), str("more than ", kEnumMax, " values in all enums"));
        }
        if (const auto format = schema.find("format");
            format != schema.end() && !format->is_string())
            fail(str(path, ".format"), str("a name is expected, not ", shown(*format)));
        if (const auto pattern = schema.find("pattern"); pattern != schema.end()) {
            if (!pattern->is_string())
                return fail(str(path, ".pattern"),
                            str("an expression is expected, not ", shown(*pattern)));
            check_pattern(pattern->get<std::string>(), str(path, ".pattern"));
        }
        if (const auto patterns = schema.find("patternProperties");
            patterns != schema.end() && patterns->is_object())
            for (const auto& [pattern, part] : patterns->items())
                check_pattern(pattern, str(path, ".patternProperties"));
    }

    void check_pattern(const std::string& pattern, const std::string& path) {
        Result<int64_t> cost = expression_cost(pattern);
        if (!cost.ok()) return fail(path, cost.error().message);
        if (patterns_.insert(pattern).second) cost_ += cost.value();  // Each is compiled once.
        if (cost_ > kCompileCostMax)
            fail(path,
                 str("with this one all patterns and lengths would take too long to compile (",
                     cost_, " ms; at most ", kCompileCostMax, ")"));
    }

    // As a pattern a length is one automaton, whose masks are all computed beforehand.
    void spell_length(Json& schema, const std::string& path) {
        if (!schema.contains("minLength") && !schema.contains("maxLength")) return;
        for (const char* key : {"pattern", "format"})
            if (schema.contains(key))
                return fail(path, str("minLength and maxLength cannot be held to beside ", key));
        const int64_t least = schema.value("minLength", int64_t{0});
        const auto most = schema.find("maxLength");
        if (most != schema.end() && *most < least)
            return fail(path, str("minLength ", least, " is more than maxLength ", shown(*most)));
        const std::string pattern =
            most == schema.end() ? str("^.{", least, ",}$") : str("^.{", least, ",", *most, "}$");
        check_pattern(pattern, path + (most == schema.end() ? ".minLength" : ".maxLength"));
        schema.erase("minLength");
        schema.erase("maxLength");
        schema["pattern"] = pattern;
    }

    void follow_ref(const Json& schema, size_t index) {
        const auto found = schema.find("$ref");
        if (error_ || found == schema.end()) return;
        const std::string path = schemas_[index].path + ".$ref";
        if (!found->is_string() || !found->get_ref<const std::string&>().starts_with('#'))
            return fail(path, str(shown(*found), " is no place in this schema (\"#/$defs/...\")"));
        std::string_view rest = std::string_view(found->get_ref<const std::string&>()).substr(1);
        const Json* target = &root_;
        while (!rest.empty()) {
            rest.remove_prefix(1);
            const std::string key(rest.substr(0, rest.find('/')));
            rest.remove_prefix(key.size());
            const auto next = target->is_object() ? target->find(key) : target->end();
            if (next == target->end())
                return fail(path,
                            str(shown(*found), " leads nowhere: there is no ", shown(Json(key))));
            target = &*next;
        }
        schemas_[index].target = target;
        refs_[target] = index;
    }

    // What a schema leaves open is made explicit: an object that names its properties has no
    // others, any other object or list is free. Compilers differ there.
    static void close(Json& schema) {
        const auto has = [&](std::initializer_list<const char*> keys) {
            return std::any_of(keys.begin(), keys.end(),
                               [&](const char* key) { return schema.contains(key); });
        };
        const auto may_be = [&](const char* type) {
            const auto found = schema.find("type");
            return found != schema.end() &&
                   (*found == type || (found->is_array() && std::find(found->begin(), found->end(),
                                                                      type) != found->end()));
        };
        if ((may_be("object") || schema.contains("properties")) &&
            !has({"additionalProperties", "unevaluatedProperties", "patternProperties",
                  "propertyNames"}))
            schema["additionalProperties"] = !schema.contains("properties");
        if ((may_be("array") || schema.contains("prefixItems")) &&
            !has({"items", "unevaluatedItems"}))
            schema["items"] = true;
    }

    // A reply must be able to end wherever it has come to: each schema has a finite value, and none
    // refers to itself without a step in between.
    void check_endings() {
        for (size_t i = 0; i < schemas_.size() && !error_; ++i) find_circle(i);
        // Parts stand behind their wholes, so that one pass from the back does nearly all.
        for (bool changed = true; changed && !error_;) {
            changed = false;
            for (size_t i = schemas_.size(); i-- > 0;) {
                if (schemas_[i].ends || !has_end(schemas_[i])) continue;
                schemas_[i].ends = changed = true;
            }
        }
        for (const Schema& schema : schemas_)
            if (!schema.ends) fail(schema.path, "no finite value satisfies it: it requires itself");
    }

    // What a value of the schema is at the same place.
    std::vector<size_t> alternatives(const Schema& schema) const {
        std::vector<size_t> found;
        if (schema.target != nullptr) found.push_back(index_.at(schema.target));
        for (const char* key : {"anyOf", "oneOf", "allOf"})
            if (schema.json->is_object() && schema.json->contains(key))
                for (const Json& part : (*schema.json)[key]) found.push_back(index_.at(&part));
        return found;
    }

    void find_circle(size_t i) {
        if (schemas_[i].color == 2) return;
        if (schemas_[i].color == 1)
            return fail(schemas_[i].path, "it refers to itself without a step in between");
        schemas_[i].color = 1;
        for (const size_t next : alternatives(schemas_[i])) find_circle(next);
        schemas_[i].color = 2;
    }

    bool ends(const Json& part) const { return schemas_[index_.at(&part)].ends; }

    bool has_end(const Schema& schema) const {
        const Json& json = *schema.json;
        if (!json.is_object() || json.contains("const") || json.contains("enum")) return true;
        if (const std::vector<size_t> found = alternatives(schema); !found.empty())
            return std::any_of(found.begin(), found.end(),
                               [&](size_t i) { return schemas_[i].ends; });
        if (const auto required = json.find("required"); required != json.end())
            for (const Json& name : *required)
                if (!ends(json["properties"][name.get<std::string>()])) return false;
        const auto least = json.find("minItems");
        if (least == json.end() || *least == 0) return true;
        if (const auto items = json.find("prefixItems"); items != json.end())
            for (const Json& item : *items)
                if (!ends(item)) return false;
        return !json.contains("items") || ends(json["items"]);
    }

    static constexpr int64_t kMultipleMax = 1000;
    Json& root_;
    std::vector<Schema> schemas_;
    std::map<const Json*, size_t> index_;
    std::map<const Json*, size_t> refs_;  // Who refers to it (one of them), by target.
    size_t enum_values_ = 0;
    std::set<std::string> patterns_;
    int64_t cost_ = 0;
    std::optional<std::string> error_;
};

}  // namespace

Result<std::string> closed_schema(std::string_view text) {
    const auto refuse = [](const std::string& what) {
        return Error{Code::invalid_argument, "JSON schema: " + what};
    };
    if (text.size() > kBytesMax)
        return refuse(str(text.size(), " bytes; at most ", kBytesMax, " can be compiled"));
    if (too_deep(text)) return refuse(str("nested more than ", kDepthMax, " levels deep"));
    Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) return refuse("it is no JSON");
    if (!json.is_object()) return refuse("$: a schema is an object, not " + shown(json));
    if (std::optional<std::string> error = Checker(json).run()) return refuse(*error);
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fathom
