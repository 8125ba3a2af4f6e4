#include "server/flag_list.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

namespace fathom {
namespace {

using Json = nlohmann::json;

// "" for a number that a uint64_t holds, else what is wrong with it.
std::string unsigned_problem(const std::string& text) {
    uint64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, number);
    if (code == std::errc() && stop == end) return "";
    return str(text, " is not an integer in 0..", std::numeric_limits<uint64_t>::max());
}

// The strings of a JSON list, or the text itself as the only one.
std::optional<std::vector<std::string>> list_of(const std::string& text) {
    if (!text.starts_with('[')) return std::vector{text};
    const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    std::vector<std::string> list;
    for (const Json& word : json.is_array() ? json : Json{nullptr}) {
        if (!word.is_string()) return std::nullopt;
        list.push_back(word.get<std::string>());
    }
    return list;
}

// CLI11's messages without its line breaks.
std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

// CLI11 takes a value in brackets for a list of its own and cuts it at the commas. One that a user
// wrote is marked before, and the mark goes when the option reads it.
constexpr char kMark = '\x01';
std::string marked(std::string word) { return word.starts_with('[') ? kMark + word : word; }
std::string unmarked(std::string word) { return word.starts_with(kMark) ? word.substr(1) : word; }

}  // namespace

struct FlagList::Impl {
    Impl(const std::string& description, const std::string& command) : app(description, command) {}

    CLI::Option* add(const std::string& name, std::string& to, const std::string& help,
                     FlagKind kind = FlagKind::value) {
        names.push_back({name, kind});
        return app.add_option("--" + name, to, help)
            ->take_last()
            ->capture_default_str()
            ->transform(unmarked);
    }

    CLI::App app;
    std::vector<FlagName> names;
};

FlagList::FlagList(const std::string& description, const std::string& command)
    : impl_(std::make_unique<Impl>(description, command)) {}
FlagList::~FlagList() = default;

void FlagList::positional(const std::string& name, std::string& to, const std::string& help) {
    impl_->app.add_option(name, to, help)->transform(unmarked);
}

void FlagList::text(const std::string& name, std::string& to, const std::string& help) {
    impl_->add(name, to, help);
}

void FlagList::choice(const std::string& name, std::string& to, std::vector<std::string> choices,
                      const std::string& help) {
    impl_->add(name, to, help)->check(CLI::IsMember(std::move(choices)));
}

void FlagList::add_integer(const std::string& name, int64_t now, int64_t low, int64_t high,
                           std::function<void(int64_t)> set, const std::string& help) {
    impl_->names.push_back({name, FlagKind::value});
    const auto read = [low](const std::string& text) {
        return low < 0 && text == "-1" ? std::optional<int64_t>(-1) : human_integer(text);
    };
    const auto refuse = [read, low, high](const std::string& text) -> std::string {
        const std::optional<int64_t> number = read(text);
        if (number && low <= *number && *number <= high) return "";
        return str(text, " is not an integer in ", low, "..", high);
    };
    impl_->app
        .add_option_function<std::string>(
            "--" + name, [set, read](const std::string& text) { set(*read(text)); }, help)
        ->check(refuse)
        ->transform(unmarked)
        ->take_last()
        ->default_str(std::to_string(now));
}

void FlagList::unsigned_integer(const std::string& name, uint64_t& to, const std::string& help) {
    impl_->names.push_back({name, FlagKind::value});
    impl_->app.add_option("--" + name, to, help)
        ->take_last()
        ->capture_default_str()
        ->check(unsigned_problem)
        ->transform(unmarked);
}

void FlagList::toggle(const std::string& name, bool& to, const std::string& help) {
    impl_->names.push_back({name, FlagKind::toggle});
    impl_->app.add_flag("--" + name, to, help)->take_last()->capture_default_str();
}

void FlagList::values(const std::string& name, std::vector<std::string>& to,
                      const std::string& help) {
    impl_->names.push_back({name, FlagKind::values});
    impl_->app.add_option("--" + name, to, help)->expected(1)->take_all()->transform(unmarked);
}

void FlagList::json(const std::string& name, std::string& to, const std::string& help) {
    impl_->add(name, to, help, FlagKind::json);
}

void FlagList::json_list(const std::string& name, std::vector<std::string>& to,
                         const std::string& help) {
    impl_->names.push_back({name, FlagKind::values});
    const auto refuse = [](const std::string& text) {
        return list_of(text) ? "" : text + " is not a JSON list of strings";
    };
    // The first one given replaces the default.
    const auto set = [&to](const std::vector<std::string>& words) {
        to.clear();
        for (const std::string& word : words) {
            std::optional<std::vector<std::string>> list = list_of(word);
            to.insert(to.end(), list->begin(), list->end());
        }
    };
    impl_->app.add_option_function<std::vector<std::string>>("--" + name, set, help)
        ->expected(1)
        ->take_all()
        ->check(refuse)
        ->transform(unmarked)
        ->default_str(Json(to).dump());
}

void FlagList::idle(const std::string& name, FlagKind kind, std::vector<std::string>& given,
                    const std::string& help) {
    impl_->names.push_back({name, kind});
    const std::string flag = "--" + name;
    if (kind == FlagKind::toggle)
        impl_->app.add_flag_function(
            flag, [&given, flag](int64_t) { given.push_back(flag); }, help);
    else
        impl_->app
            .add_option_function<std::string>(
                flag, [&given, flag](const std::string&) { given.push_back(flag); }, help)
            ->take_last();
}

Result<std::optional<std::string>> FlagList::parse(std::span<const std::string> words) {
    std::vector<FlagName> names = impl_->names;
    names.push_back({"help", FlagKind::toggle});
    Result<std::vector<std::string>> plain = rewrite_argv(words, names);
    if (!plain.ok()) return std::move(plain).error();
    std::vector<std::string>& argv = plain.value();
    for (const std::string& word : argv)
        if (word == "--help=true" || word == "-h") return std::optional(impl_->app.help());
    std::reverse(argv.begin(), argv.end());  // CLI11 takes them from the back.
    for (std::string& word : argv) word = marked(std::move(word));
    try {
        impl_->app.parse(argv);
    } catch (const CLI::ParseError& error) {
        return Error{Code::invalid_argument, one_line(error.what())};
    }
    return std::optional<std::string>();
}

std::optional<int64_t> human_integer(const std::string& text) {
    size_t digits = 0;
    while (digits < text.size() &&
           (std::isdigit(static_cast<unsigned char>(text[digits])) || text[digits] == '.'))
        ++digits;
    if (digits == 0 || digits > 15 || text.size() - digits > 1) return std::nullopt;
    const bool whole = text.substr(0, digits).find('.') == std::string::npos;
    const char suffix = digits < text.size() ? text[digits] : ' ';
    const size_t power = std::string(" kmgt").find(suffix),
                 binary = std::string(" KMGT").find(suffix);
    double scale = 1;
    if (power != std::string::npos)
        scale = std::pow(1000.0, static_cast<double>(power));
    else if (binary != std::string::npos && whole)
        scale = std::pow(1024.0, static_cast<double>(binary));
    else
        return std::nullopt;
    if (!whole && suffix == ' ') return std::nullopt;
    if (std::count(text.begin(), text.end(), '.') > 1) return std::nullopt;
    return static_cast<int64_t>(std::llround(std::stod(text.substr(0, digits)) * scale));
}

}  // namespace fathom
