#include "testing/golden.h"

namespace fathom::testing {
namespace {

Safetensors open_or_die(const std::string& name) {
    Result<Safetensors> file = Safetensors::open(golden_path(name));
    CHECK(file.ok(), name, ": ", file.error().message);
    return std::move(file).value();
}

}  // namespace

std::filesystem::path golden_path(const std::string& name) {
    return std::filesystem::path(FATHOM_SOURCE_DIR) / "tests" / "golden" / name;
}

Golden::Golden(const std::string& name) : file_(open_or_die(name)) {}

Tensor Golden::operator[](const std::string& tensor) const {
    const StoredTensor* found = file_.find(tensor);
    CHECK(found != nullptr, "no golden tensor ", tensor);
    return found->view();
}

}  // namespace fathom::testing
