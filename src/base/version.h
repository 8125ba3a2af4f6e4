#pragma once

namespace fathom {

// As in the project's CMakeLists.txt and CHANGELOG.md.
inline constexpr const char* kVersion = "0.1.0";

}  // namespace fathom
