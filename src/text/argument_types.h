#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/python_json.h"

namespace fathom {

// The types that a function's JSON schema gives to the arguments of a DSML call. The model writes a
// value as text and says whether it is a string; what the schema says decides where both can be
// meant.
//
// A schema is read as far as it tells types: type, enum, const, properties, items, anyOf, oneOf,
// allOf and $ref to its own parts. What cannot be read says nothing.
class ArgumentTypes {
public:
    // The schema's JSON; empty or no object: arguments are what the model says they are.
    explicit ArgumentTypes(std::string_view schema);

    // Whether an argument with string="true" stays the text that it is, so that it can be shown
    // before its end is there.
    bool stays_text(std::string_view name) const;

    // The argument's value as JSON.
    //   text       as the model wrote it
    //   is_string  string="true"
    std::string to_json(std::string_view name, std::string_view text, bool is_string) const;

    // Models put all arguments into one called `arguments` or `input`. True if an argument of this
    // name may be such a wrapper; then unwrapped() says what is in it, as the members of an object
    // in order, or nothing if it is none after all.
    bool may_wrap(std::string_view name) const;
    struct Member {
        std::string name, json;
    };
    std::optional<std::vector<Member>> unwrapped(std::string_view text) const;

private:
    const PythonValue* properties() const;
    const PythonValue* property(std::string_view name) const;

    PythonValue schema_;
};

}  // namespace fathom
