#pragma once

#include <string>

namespace fathom {

// The value of an environment variable; empty where it is not set. Call before threads change the
// environment, which this program never does.
std::string environment(const char* name);

}  // namespace fathom
