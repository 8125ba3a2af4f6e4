// docs/flags.md says of every flag what the program does with it, and of no flag that there is not.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "server/serve_flags.h"

namespace fathom {
namespace {

// The headings of flags that do nothing, and how the help marks them.
constexpr std::pair<const char*, const char*> kIdle[] = {{"No meaning here", "no meaning here: "},
                                                         {"Not built yet", "not built yet: "}};

// The flags in the first column of the page's tables, by the heading above them.
std::map<std::string, std::set<std::string>> documented() {
    std::ifstream page(str(FATHOM_SOURCE_DIR, "/docs/flags.md"));
    EXPECT_TRUE(page.is_open());
    std::map<std::string, std::set<std::string>> flags;
    std::string heading;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("## ")) heading = line.substr(3);
        if (!heading.empty() && line.starts_with("| `--"))
            flags[heading].insert(line.substr(3, line.find('`', 3) - 3));
    }
    return flags;
}

// "--name" at the beginning of a line of the help, by what the help says of it.
std::map<std::string, std::set<std::string>> helped() {
    const std::string help = parse_serve_flags(std::vector<std::string>{"--help"}).value().text;
    std::map<std::string, std::set<std::string>> flags;
    std::istringstream lines(help);
    std::string flag;
    for (std::string line; std::getline(lines, line);) {
        const size_t begin = line.find("--");
        if (line.starts_with("  -") && begin != std::string::npos && begin <= 5) {
            if (!flag.empty()) flags["Flags that act"].insert(flag);
            flag = line.substr(begin, line.find_first_of(" ,", begin) - begin);
        }
        for (const auto& [heading, words] : kIdle) {
            if (line.find(words) == std::string::npos) continue;
            flags[heading].insert(flag);
            flag.clear();
        }
    }
    if (!flag.empty()) flags["Flags that act"].insert(flag);
    return flags;
}

TEST(FlagsDoc, SaysWhatTheHelpSays) {
    const auto page = documented(), help = helped();
    ASSERT_GT(help.at("Flags that act").size(), 15u);
    for (const auto& [heading, flags] : help)
        EXPECT_EQ(page.contains(heading) ? page.at(heading) : std::set<std::string>(), flags)
            << heading;
}

TEST(FlagsDoc, IdleFlagsAreNamedAtTheStart) {
    const auto page = documented();
    const auto given = [](const std::string& flag, std::vector<std::string> ServeFlags::*list) {
        auto command = parse_serve_flags(std::vector<std::string>{"m", flag + "=true"});
        if (!command.ok()) command = parse_serve_flags(std::vector<std::string>{"m", flag, "{}"});
        EXPECT_TRUE(command.ok()) << flag;
        return command.ok() ? command.value().flags.*list : std::vector<std::string>();
    };
    for (const std::string& flag : page.at("No meaning here"))
        EXPECT_EQ(given(flag, &ServeFlags::no_meaning), std::vector<std::string>{flag});
    for (const std::string& flag : page.at("Not built yet"))
        EXPECT_EQ(given(flag, &ServeFlags::not_built), std::vector<std::string>{flag});
}

}  // namespace
}  // namespace fathom
