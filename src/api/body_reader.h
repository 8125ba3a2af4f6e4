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
// error(). Untrusted input.
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
    std::optional<std::vector<std::string>> strings(const char* field);  // One string is a list.
    std::optional<std::vector<Token>> tokens(const char* field);
    // "text", ["text", ...], [id, ...] or [[id, ...], ...].
    std::optional<std::vector<Prompt>> prompts(const char* field);
    // The fields of an object; its errors are to be taken over with adopt().
    std::optional<BodyReader> object(const char* field);

    const std::optional<RequestError>& error() const;
    void fail(RequestError error);  // Kept if it is the first.
    void adopt(const BodyReader& inner);

private:
    struct Impl;
    explicit BodyReader(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::api
