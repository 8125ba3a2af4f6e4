#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fathom {

// Who may use /v1: requests whose Authorization header is "Bearer KEY" with one of the keys of
// --api-key. Without keys everybody may.
class ApiKeys {
public:
    explicit ApiKeys(std::vector<std::string> keys) : keys_(std::move(keys)) {}

    // Takes as long for a wrong key as for a right one, whatever it begins with.
    bool admits(std::string_view method, std::string_view path,
                std::string_view authorization) const;

private:
    const std::vector<std::string> keys_;
};

}  // namespace fathom
