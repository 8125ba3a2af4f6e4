#include "server/argv.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

namespace fathom {
namespace {

using Json = nlohmann::json;

int edit_distance(const std::string& a, const std::string& b) {
    std::vector<int> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (size_t i = 1; i <= a.size(); ++i) {
        int diagonal = std::exchange(row[0], static_cast<int>(i));
        for (size_t j = 1; j <= b.size(); ++j) {
            const int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row.back();
}

Error usage(std::string message) { return Error{Code::invalid_argument, std::move(message)}; }

// One flag of the command line: its name in our spelling, the dotted rest, the value after '='.
struct Flag {
    const FlagName* known;
    bool negated = false;
    std::string path;  // "b.c" of --a.b.c
    bool has_value = false;
    std::string value;
};

// The flag of exactly this name, or the only one that begins so.
Result<const FlagName*> find_name(const std::string& name, std::span<const FlagName> known) {
    const FlagName* found = nullptr;
    std::string candidates;
    for (const FlagName& flag : known) {
        if (flag.name == name) return &flag;
        if (!flag.name.starts_with(name)) continue;
        found = found == nullptr ? &flag : found;
        candidates += str(candidates.empty() ? "" : ", ", "--", flag.name);
    }
    if (found == nullptr)
        return usage(
            str("unknown flag --", name, "; did you mean --", nearest_name(name, known), "?"));
    if (candidates.find(',') != std::string::npos)
        return usage(str("--", name, " could be ", candidates, "; write it out"));
    return found;
}

Result<Flag> read_flag(const std::string& word, std::span<const FlagName> known) {
    Flag flag{};
    std::string name = word.substr(2);
    if (const size_t equals = name.find('='); equals != std::string::npos) {
        flag.has_value = true;
        flag.value = name.substr(equals + 1);
        name.resize(equals);
    }
    if (const size_t dot = name.find('.'); dot != std::string::npos) {
        flag.path = name.substr(dot + 1);
        name.resize(dot);
    }
    std::replace(name.begin(), name.end(), '_', '-');

    Result<const FlagName*> found = find_name(name, known);
    if (!found.ok() && name.starts_with("no-")) {
        Result<const FlagName*> positive = find_name(name.substr(3), known);
        if (positive.ok() && positive.value()->kind == FlagKind::toggle) {
            flag.negated = true;
            found = std::move(positive);
        }
    }
    if (!found.ok()) return std::move(found).error();
    flag.known = found.value();
    if (!flag.path.empty() && flag.known->kind != FlagKind::json)
        return usage(str(word, ": --", flag.known->name, " does not take JSON, so it has no keys"));
    return flag;
}

// Puts the value at a.b.c: as JSON where it is JSON, else as a string.
void set_at(Json& object, const std::string& path, const std::string& value) {
    Json* at = &object;
    for (size_t begin = 0; begin <= path.size();) {
        const size_t end = std::min(path.find('.', begin), path.size());
        at = &(*at)[path.substr(begin, end - begin)];
        begin = end + 1;
    }
    const Json parsed = Json::parse(value, nullptr, /*allow_exceptions=*/false);
    *at = parsed.is_discarded() ? Json(value) : parsed;
}

Status merge_json(Json& into, const Flag& flag) {
    if (!flag.path.empty()) {
        for (size_t at = 0; (at = flag.path.find('.', at)) != std::string::npos; ++at) {
            const Json::json_pointer parent("/" + flag.path.substr(0, at));
            if (at > 0 && into.contains(parent) && !into[parent].is_object())
                return usage(str("--", flag.known->name, ".", flag.path,
                                 " contradicts an earlier value of its parent"));
        }
        set_at(into, flag.path, flag.value);
        return Unit{};
    }
    Json whole;
    try {
        whole = Json::parse(flag.value);
    } catch (const Json::parse_error& error) {
        return usage(str("--", flag.known->name, ": not JSON at byte ", error.byte, " of ",
                         flag.value, "; quote it for the shell, as in '{\"key\": 1}'"));
    }
    if (!whole.is_object())
        return usage(str("--", flag.known->name, ": expected a JSON object, got ", flag.value));
    into.merge_patch(whole);
    return Unit{};
}

}  // namespace

std::string nearest_name(const std::string& word, std::span<const FlagName> known) {
    CHECK(!known.empty(), "no flags are known");
    return std::min_element(known.begin(), known.end(),
                            [&](const FlagName& a, const FlagName& b) {
                                return edit_distance(word, a.name) < edit_distance(word, b.name);
                            })
        ->name;
}

Result<std::vector<std::string>> rewrite_argv(std::span<const std::string> words,
                                              std::span<const FlagName> known) {
    std::vector<std::string> out;
    std::map<std::string, Json> merged;
    for (size_t i = 0; i < words.size(); ++i) {
        if (!words[i].starts_with("--") || words[i].size() == 2) {
            out.push_back(words[i]);
            continue;
        }
        Result<Flag> read = read_flag(words[i], known);
        if (!read.ok()) return std::move(read).error();
        Flag& flag = read.value();
        const std::string name = "--" + flag.known->name;
        if (flag.known->kind == FlagKind::toggle) {
            const bool off = flag.negated != (flag.has_value && flag.value == "false");
            out.push_back(name + (off ? "=false" : "=true"));
            continue;
        }
        if (!flag.has_value) {
            if (i + 1 == words.size() || words[i + 1].starts_with("--"))
                return usage(name + " needs a value");
            flag.value = words[++i];
        }
        if (flag.known->kind == FlagKind::json) {
            Json& object = merged.try_emplace(name, Json::object()).first->second;
            if (Status status = merge_json(object, flag); !status.ok())
                return std::move(status).error();
            continue;
        }
        // Only lists take more than one word.
        do out.push_back(name), out.push_back(flag.value);
        while (flag.known->kind == FlagKind::values && !flag.has_value && i + 1 < words.size() &&
               !words[i + 1].starts_with("--") && (flag.value = words[++i], true));
    }
    for (const auto& [name, object] : merged) out.insert(out.end(), {name, object.dump()});
    return out;
}

}  // namespace fathom
