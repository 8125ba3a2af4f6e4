#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/error.h"
#include "base/token.h"

namespace fathom::api {

// A prompt as the client gave it: text, or token ids that are used as they are.
using Prompt = std::variant<std::string, std::vector<Token>>;

// The fields of a JSON object, read as vLLM's pydantic models do in lax mode: "5", 5.0 and true are
// integers where an integer is asked for, null is as good as absent, unknown fields do not matter.
// The first error is kept and everything after it reads as absent: read all fields, then ask
// error(). Readers of inner objects must not outlive the one they come from. Untrusted input.
class BodyReader {
public:
    // Nested at most 128 deep, a JSON object at the top.
    explicit BodyReader(std::string_view text);
    BodyReader(BodyReader&&) noexcept;
    ~BodyReader();

    bool has(const char* field) const;  // Present and not null.
    // Absent, null, false, 0, "", [] or {}: nothing is asked for.
    bool is_off(const char* field) const;

    std::optional<int64_t> integer(const char* field);
    std::optional<double> number(const char* field);  // Finite.
    std::optional<bool> boolean(const char* field);
    std::optional<std::string> string(const char* field);
    bool is_string(const char* field) const;
    bool is_array(const char* field) const;
    bool is_object(const char* field) const;
    // Whatever it is, as compact JSON with the keys in their order.
    std::optional<std::string> json(const char* field) const;
    // One string is a list of one. Null elements are refused, or left out where asked.
    std::optional<std::vector<std::string>> strings(const char* field, bool drop_nulls = false);
    std::optional<std::vector<Token>> tokens(const char* field);
    // "text", ["text", ...], [id, ...] or [[id, ...], ...].
    std::optional<std::vector<Prompt>> prompts(const char* field);
    // The fields of an object; its errors are to be taken over with adopt().
    std::optional<BodyReader> object(const char* field);
    // The same for a list of objects: "messages". Absent: nothing.
    std::optional<std::vector<BodyReader>> objects(const char* field);
    // The same for a list of texts and objects, as contents of messages are.
    std::optional<std::vector<std::variant<std::string, BodyReader>>> parts(const char* field);
    // The names of this object's fields, in their order.
    std::vector<std::string> fields() const;
    // This object as compact JSON; without its null members where asked.
    std::string json() const;
    std::string json_without_nulls() const;
    // "messages.3.": where this object stands, for errors.
    const std::string& prefix() const;

    const std::optional<RequestError>& error() const;
    void fail(RequestError error);  // Kept if it is the first.
    void adopt(const BodyReader& inner);

private:
    struct Impl;
    explicit BodyReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::api
