#include "text/call_format.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "text/expression.h"
#include "text/json_schema.h"

namespace fathom {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kFormatBytesMax = 4 << 20;  // Schemas that refer elsewhere are written out again.

Json text(const std::string& value) { return {{"type", "const_string"}, {"value", value}}; }
Json sequence(Json elements) { return {{"type", "sequence"}, {"elements", std::move(elements)}}; }
Json optional(Json content) { return {{"type", "optional"}, {"content", std::move(content)}}; }
Json star(Json content) { return {{"type", "star"}, {"content", std::move(content)}}; }
Json plus(Json content) { return {{"type", "plus"}, {"content", std::move(content)}}; }
Json grammar(const std::string& root) {
    return {{"type", "grammar"}, {"grammar", "root ::= " + root}};
}
Json any_of(Json elements) {
    if (elements.size() == 1) return elements[0];
    return {{"type", "or"}, {"elements", std::move(elements)}};
}
Json json_value(Json schema) {
    return {{"type", "json_schema"},
            {"json_schema", std::move(schema)},
            {"max_whitespace_cnt", kJsonWhitespaceMax}};
}

// What a parameter may be: text as it is, and JSON.
struct Values {
    Json raw = Json::array();
    Json json = Json::array();
};

Values any_value() {
    return {.raw = {grammar("[^]*")},
            .json = {json_value({{"type", {"object", "array", "number", "boolean", "null"}}})}};
}

// The parameters of one strict tool. Its schema has passed closed_schema(), so that every $ref
// leads to a schema and none leads in a circle on the spot.
class Parameters {
public:
    explicit Parameters(const Json& root) : root_(root) {}

    Values values_of(const Json& schema) {
        seen_.clear();
        Values values;
        collect(schema, values);
        return values;
    }

    const Json& resolved(const Json& schema) const {
        if (!schema.is_object()) return schema;
        if (const auto ref = schema.find("$ref"); ref != schema.end())
            return resolved(root_.at(Json::json_pointer(ref->get<std::string>().substr(1))));
        if (const auto all = schema.find("allOf"); all != schema.end()) return resolved((*all)[0]);
        return schema;
    }

private:
    void collect(const Json& unresolved, Values& values) {
        const Json& schema = resolved(unresolved);
        if (!seen_.insert(&schema).second) return;
        if (!schema.is_object()) return append(any_value(), values);
        for (const char* key : {"anyOf", "oneOf"})
            if (schema.contains(key)) {
                for (const Json& option : schema[key]) collect(option, values);
                return;
            }
        if (schema.contains("const")) return collect_constant(schema["const"], values);
        if (schema.contains("enum")) {
            for (const Json& value : schema["enum"]) collect_constant(value, values);
            return;
        }
        const auto type = schema.find("type");
        if (type == schema.end() && !schema.contains("properties") && !schema.contains("items"))
            return append(any_value(), values);
        if (type == schema.end()) return values.json.push_back(json_value(standing_alone(schema)));
        for (const Json& one : type->is_array() ? *type : Json::array({*type})) {
            if (one == "string") {
                values.raw.push_back(raw_text(schema));
                continue;
            }
            Json typed = standing_alone(schema);
            typed["type"] = one;
            values.json.push_back(json_value(std::move(typed)));
        }
    }

    static void append(const Values& more, Values& values) {
        for (const Json& raw : more.raw) values.raw.push_back(raw);
        for (const Json& json : more.json) values.json.push_back(json);
    }

    static void collect_constant(const Json& value, Values& values) {
        if (value.is_string())
            values.raw.push_back(text(value.get<std::string>()));
        else
            values.json.push_back(json_value({{"const", value}}));
    }

    static Json raw_text(const Json& schema) {
        const auto pattern = schema.find("pattern");
        return grammar(pattern == schema.end() ? "[^]*"
                                               : expression_term(pattern->get<std::string>()));
    }

    // With the whole schema beside it where it refers to that.
    Json standing_alone(Json schema) const {
        if (schema.dump().find("\"$ref\"") == std::string::npos) return schema;
        Json root = root_;
        rebase(root);
        rebase(schema);
        schema["$defs"] = {{"root", std::move(root)}};
        return schema;
    }

    static void rebase(Json& json) {
        if (json.is_object())
            for (auto& [key, part] : json.items()) {
                if (key == "$ref" && part.is_string())
                    part = "#/$defs/root" + part.get<std::string>().substr(1);
                else if (key != "const" && key != "enum")
                    rebase(part);
            }
        if (json.is_array())
            for (Json& part : json) rebase(part);
    }

    const Json& root_;
    std::set<const Json*> seen_;
};

class CallFormat {
public:
    explicit CallFormat(Token dsml) : dsml_({{"type", "token"}, {"token", dsml}}) {}

    Result<Json> invoke(const Tool& tool) {
        if (tool.name.empty() || tool.name.find_first_of("\"\n") != std::string::npos)
            return Error{Code::invalid_argument, "a function's name is empty or has a quote in it"};
        Result<Json> body = tool.strict ? strict_body(tool) : Result<Json>(free_body());
        if (!body.ok()) return std::move(body).error().in(str("tool \"", tool.name, "\""));
        return marked("<", "invoke name=\"" + tool.name + "\">\n", std::move(body).value(),
                      "invoke>\n");
    }

    Json block(Json invokes, CallFormatOptions options) {
        Json calls = any_of(std::move(invokes));
        if (!options.single_call) calls = plus(std::move(calls));
        Json block = marked("<", "function_calls>\n", std::move(calls), "function_calls>");
        if (options.free_text_before)
            return sequence({grammar("[^]*"), optional(std::move(block))});
        return sequence({text("\n\n"), std::move(block)});
    }

private:
    // <｜DSML｜ + begin, content, </｜DSML｜ + end
    Json marked(const char* bracket, const std::string& begin, Json content,
                const std::string& end) {
        return sequence(
            {text(bracket), dsml_, text(begin), std::move(content), text("</"), dsml_, text(end)});
    }

    Json parameter(Json name, const Values& values) {
        Json kinds = Json::array();
        if (!values.raw.empty())
            kinds.push_back(sequence({text("\" string=\"true\">"), any_of(values.raw)}));
        if (!values.json.empty())
            kinds.push_back(sequence({text("\" string=\"false\">"), any_of(values.json)}));
        return marked("<", "parameter name=\"",
                      sequence({std::move(name), any_of(std::move(kinds))}), "parameter>\n");
    }

    Json any_name() { return grammar("[^\"\\n]+"); }

    // DeepSeek's own encoder writes an empty line where there are no parameters.
    Json free_body() { return any_of({star(parameter(any_name(), any_value())), text("\n")}); }

    Result<Json> strict_body(const Tool& tool) {
        if (tool.parameters.empty()) return optional(text("\n"));
        Result<std::string> closed = closed_schema(tool.parameters);
        if (!closed.ok()) return std::move(closed).error();
        if (closed.value().find(kDsml) != std::string::npos)
            return Error{Code::invalid_argument,
                         str("its schema holds ", kDsml, ", which ends a value; take it out")};
        const Json root = Json::parse(closed.value());
        Parameters parameters(root);
        const Json& object = parameters.resolved(root);
        if (object.value("type", Json("object")) != "object" || object.contains("anyOf") ||
            object.contains("oneOf") || object.contains("const") || object.contains("enum"))
            return Error{Code::invalid_argument,
                         "JSON schema: $: parameters are an object with properties"};
        return strict_body(object, parameters);
    }

    Result<Json> strict_body(const Json& object, Parameters& parameters) {
        const Json required = object.value("required", Json::array());
        Json body = Json::array();
        bool may_be_empty = true;
        const Json properties = object.value("properties", Json::object());
        for (const auto& [name, schema] : properties.items()) {
            if (name.empty() || name.find_first_of("\"\n") != std::string::npos)
                return Error{Code::invalid_argument,
                             "a parameter's name is empty or has a quote in it"};
            Json one = parameter(text(name), parameters.values_of(object["properties"][name]));
            const bool needed = std::find(required.begin(), required.end(), name) != required.end();
            may_be_empty = may_be_empty && !needed;
            body.push_back(needed ? std::move(one) : optional(std::move(one)));
        }
        const Json others = object.value("additionalProperties", Json(false));
        if (others != false)
            body.push_back(star(parameter(any_name(), parameters.values_of(others))));
        if (body.empty()) return optional(text("\n"));
        Json all = sequence(std::move(body));
        return may_be_empty ? any_of({std::move(all), text("\n")}) : all;
    }

    const Json dsml_;
};

}  // namespace

Result<std::string> call_format(const std::vector<Tool>& tools, CallFormatOptions options) {
    if (tools.empty())
        return Error{Code::invalid_argument, "a call is required, but there are no tools"};
    CallFormat format(options.dsml);
    Json invokes = Json::array();
    for (const Tool& tool : tools) {
        Result<Json> invoke = format.invoke(tool);
        if (!invoke.ok()) return std::move(invoke).error();
        invokes.push_back(std::move(invoke).value());
    }
    const Json whole = {{"type", "structural_tag"},
                        {"format", format.block(std::move(invokes), options)}};
    std::string result = whole.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (result.size() > kFormatBytesMax)
        return Error{
            Code::invalid_argument,
            str("the tools' schemas come to ", result.size(), " bytes; at most ", kFormatBytesMax,
                " can be compiled: give fewer tools, or not strict ones")};
    return result;
}

}  // namespace fathom
