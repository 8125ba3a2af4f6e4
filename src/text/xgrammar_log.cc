// The two functions that xgrammar, built with XGRAMMAR_LOG_CUSTOMIZE (scripts/xgrammar), wants to
// be given. A fatal error must not return and is caught in grammar.cc; a warning is about what
// json_schema.cc and expression.cc refuse or argue, and would quote a stranger's text in the log.
#include <stdexcept>
#include <string>

namespace xgrammar {

// NOLINTBEGIN(misc-use-internal-linkage): declared inside the library only.
[[noreturn]] void LogFatalImpl(const std::string& /*file*/, int /*line*/,
                               const std::string& message) {
    throw std::runtime_error(message);
}

void LogMessageImpl(const std::string& /*file*/, int /*line*/, int /*level*/,
                    const std::string& /*message*/) {}
// NOLINTEND(misc-use-internal-linkage)

}  // namespace xgrammar
