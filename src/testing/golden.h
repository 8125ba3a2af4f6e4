#pragma once

#include <filesystem>
#include <string>

#include "checkpoint/safetensors.h"

namespace fathom::testing {

// tests/golden/NAME of the source tree.
std::filesystem::path golden_path(const std::string& name);

// A file of reference values, tests/golden/NAME (tests/golden/manifest.json says how each was
// made).
class Golden {
public:
    explicit Golden(const std::string& name);

    // CHECKs that the file has it.
    Tensor operator[](const std::string& tensor) const;
    bool has(const std::string& tensor) const { return file_.find(tensor) != nullptr; }
    const Safetensors& file() const { return file_; }

private:
    Safetensors file_;
};

}  // namespace fathom::testing
