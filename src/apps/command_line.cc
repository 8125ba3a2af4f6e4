#include "apps/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "server/argv.h"

namespace fathom {
namespace {

// The first word that looks like a flag and is none, with the known one that is nearest.
std::string unknown_flag(const CLI::App& app) {
    std::vector<FlagName> known;
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames())
            known.push_back({name, FlagKind::value});
    for (const std::string& word : app.remaining()) {
        if (!word.starts_with("--") || word.size() == 2) continue;
        const std::string name = word.substr(2, word.find('=') - 2);
        return "unknown flag --" + name + "; did you mean --" + nearest_name(name, known) + "?";
    }
    return app.remaining().empty() ? "too many arguments."
                                   : "unexpected argument '" + app.remaining().front() + "'.";
}

}  // namespace

int parse_command_line(CLI::App& app, int argc, char** argv) {
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        std::fputs(app.help().c_str(), stdout);
        return 0;
    } catch (const CLI::ExtrasError&) {
        return fail_command(app.get_name(), unknown_flag(app) + " See --help.");
    } catch (const CLI::ParseError& error) {
        return fail_command(app.get_name(), std::string(error.what()) + "; see --help");
    }
    return -1;
}

int fail_command(const std::string& command, const std::string& message) {
    std::fprintf(stderr, "%s: %s\n", command.c_str(), message.c_str());
    return 2;
}

Console standard_streams() {
    return {.say =
                [](std::string_view line) {
                    std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
                    std::fflush(stdout);
                },
            .draw =
                [](std::string_view text) {
                    std::fprintf(stderr, "%.*s", static_cast<int>(text.size()), text.data());
                },
            .terminal = isatty(STDERR_FILENO) != 0};
}

std::string readable_bytes(int64_t bytes) {
    const char* kUnits[] = {"B", "kB", "MB", "GB", "TB"};
    double value = static_cast<double>(bytes);
    int unit = 0;
    while (value >= 1000 && unit < 4) value /= 1000, ++unit;
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
    return text;
}

}  // namespace fathom
