#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/argv.h"

namespace fathom {

// The flags of a command: name, place of the value, range, help. One list gives parsing, --help,
// and the sentences that refuse what is out of range. A single value given again replaces the
// first; lists grow. Every place must outlive parse().
class FlagList {
public:
    // Of --help: what the command does, and how it is called.
    FlagList(const std::string& description, const std::string& command);
    ~FlagList();

    // The word that is no flag.
    void positional(const std::string& name, std::string& to, const std::string& help);
    void text(const std::string& name, std::string& to, const std::string& help);
    // One of `choices`.
    void choice(const std::string& name, std::string& to, std::vector<std::string> choices,
                const std::string& help);
    // low..high, with k, m, K, M .. behind it (human_integer()).
    template <class Integer>
    void integer(const std::string& name, Integer& to, int64_t low, int64_t high,
                 const std::string& help) {
        add_integer(
            name, static_cast<int64_t>(to), low, high,
            [&to](int64_t value) { to = static_cast<Integer>(value); }, help);
    }
    // 0..2^64 - 1.
    void unsigned_integer(const std::string& name, uint64_t& to, const std::string& help);
    void toggle(const std::string& name, bool& to, const std::string& help);
    // One word or several after one name, and the name several times.
    void values(const std::string& name, std::vector<std::string>& to, const std::string& help);
    // A JSON object, as text.
    void json(const std::string& name, std::string& to, const std::string& help);
    // A JSON list of strings, as vLLM writes it, or its words one by one.
    void json_list(const std::string& name, std::vector<std::string>& to, const std::string& help);
    // Accepted, without effect; its name is added to `given`.
    void idle(const std::string& name, FlagKind kind, std::vector<std::string>& given,
              const std::string& help);

    // Help where that was asked for, else nothing; the values are in their places. Errors: one
    // sentence with the flag and its value.
    Result<std::optional<std::string>> parse(std::span<const std::string> words);

private:
    struct Impl;
    void add_integer(const std::string& name, int64_t now, int64_t low, int64_t high,
                     std::function<void(int64_t)> set, const std::string& help);
    std::unique_ptr<Impl> impl_;
};

// "68000", "32k" = 32,000, "1M" = 1,048,576, "1.5k" = 1,500: vLLM's human-readable integers.
// nullopt for anything else.
std::optional<int64_t> human_integer(const std::string& text);

}  // namespace fathom
