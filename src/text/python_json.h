#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fathom {

// JSON as Python's json module has it, whose spelling DeepSeek's prompts are made of:
// json.dumps(value, ensure_ascii=False). `", "` and `": "`, keys in their order, 1e2 as 100.0, 1.0
// as 1.0, integers of any length, of a key that comes twice the first place and the last value.

// A value as json.loads makes it, to be written again: numbers are the text that Python writes for
// them, so none is lost (what is only read is a JsonValue, which is smaller).
struct PythonValue {
    enum class Kind : uint8_t { null, boolean, integer, number, string, array, object };
    Kind kind = Kind::null;
    std::string text;  // string: itself; boolean, integer, number: as Python writes it
    std::vector<PythonValue> items;  // of an array; of an object, by key
    std::vector<std::string> keys;   // of an object, each once

    bool is(Kind other) const { return kind == other; }
    // The member of that name, or null. Takes log n.
    const PythonValue* find(std::string_view key) const;

    // The indices of `keys` in the order of the keys; find() needs it. Made by python_loads().
    std::vector<uint32_t> sorted;
};

// invalid_argument, a phrase to go on from ("no JSON at byte 3"): no JSON or more than one value,
// nested more than 128 deep, NaN and infinities, numbers beyond doubles, lone surrogates, no UTF-8.
Result<PythonValue> python_loads(std::string_view json);

std::string python_dumps(const PythonValue& value);

// python_dumps(python_loads(json)).
Result<std::string> python_json(std::string_view json);

// repr() of a finite float: "3.0", "1e-05", "0.1"; the shortest that reads back the same.
std::string python_float(double value);

}  // namespace fathom
