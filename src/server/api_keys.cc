#include "server/api_keys.h"

#include <cstdint>

namespace fathom {
namespace {

// The time depends on the length of `given`, which the client knows, and on nothing of `key`.
bool same(std::string_view given, std::string_view key) {
    uint64_t difference = given.size() ^ key.size();
    for (size_t i = 0; i < given.size(); ++i) {
        const auto a = static_cast<unsigned char>(given[i]);
        const auto b = static_cast<unsigned char>(key[i % key.size()]);
        difference |= static_cast<uint64_t>(a ^ b);
    }
    return difference == 0;
}

// What follows "Bearer ", a word in any case; empty where there is none.
std::string_view bearer_token(std::string_view header) {
    constexpr std::string_view kScheme = "bearer ";
    if (header.size() < kScheme.size()) return {};
    for (size_t i = 0; i < kScheme.size(); ++i)
        if ((header[i] | 0x20) != kScheme[i]) return {};
    return header.substr(kScheme.size());
}

}  // namespace

bool ApiKeys::admits(std::string_view method, std::string_view path,
                     std::string_view authorization) const {
    if (keys_.empty() || method == "OPTIONS") return true;
    const bool guarded = path == "/v1" || path.starts_with("/v1/");
    if (!guarded) return true;
    const std::string_view given = bearer_token(authorization);
    bool admitted = false;
    for (const std::string& key : keys_) admitted |= same(given, key);  // All are tried.
    return admitted;
}

}  // namespace fathom
