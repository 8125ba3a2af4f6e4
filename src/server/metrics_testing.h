#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/check.h"

namespace fathom::testing {

// Reads Prometheus' text format as strictly as `promtool check metrics` does, and stricter: every
// breach becomes a failure of the test.
class Exposition {
public:
    using Labels = std::map<std::string, std::string>;
    struct Family {
        std::string type;
        std::map<Labels, double> samples;                    // Of counters and gauges.
        std::map<Labels, std::map<double, double>> buckets;  // Of histograms, without `le`.
        std::map<Labels, double> counts, sums;
    };

    explicit Exposition(const std::string& text) {
        EXPECT_TRUE(text.empty() || text.back() == '\n') << "the last line is not ended";
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) read(line);
        for (const auto& [name, family] : families) check(name, family);
    }

    // The value of a sample; a failure where there is none.
    double value(const std::string& name, const Labels& labels) const {
        const auto family = families.find(name);
        if (family == families.end()) return missing(name);
        const auto found = family->second.samples.find(labels);
        return found == family->second.samples.end() ? missing(name) : found->second;
    }

    std::map<std::string, Family> families;

private:
    static double missing(const std::string& name) {
        ADD_FAILURE() << "no sample " << name;
        return NAN;
    }
    static bool is_name(const std::string& text, bool colons) {
        if (text.empty() || std::isdigit(static_cast<unsigned char>(text[0]))) return false;
        for (const char c : text)
            if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && !(colons && c == ':'))
                return false;
        return true;
    }

    void read(const std::string& line) {
        std::istringstream words(line);
        std::string hash, what, name, type;
        if (!line.starts_with("#")) return read_sample(line);
        words >> hash >> what >> name >> type;
        EXPECT_TRUE(is_name(name, true)) << line;
        if (what == "HELP") {
            EXPECT_FALSE(families.contains(name)) << "two families of one name: " << line;
            EXPECT_EQ(helped_, "") << "HELP without TYPE before: " << line;
            helped_ = name;
            return;
        }
        ASSERT_EQ(what, "TYPE") << line;
        EXPECT_EQ(name, helped_) << "TYPE does not follow its HELP: " << line;
        EXPECT_TRUE(type == "counter" || type == "gauge" || type == "histogram") << line;
        EXPECT_EQ(type == "counter", name.ends_with("_total") && type != "histogram") << line;
        helped_.clear();
        current_ = name;
        families[name].type = type;
    }

    void read_sample(const std::string& line) {
        const size_t brace = line.find('{'), space = line.rfind(' ');
        ASSERT_NE(space, std::string::npos) << line;
        const std::string name = line.substr(0, std::min(brace, space));
        EXPECT_TRUE(is_name(name, true)) << line;
        Labels labels;
        if (brace != std::string::npos) labels = read_labels(line, brace);
        const std::optional<double> value = number(line.substr(space + 1));
        ASSERT_TRUE(value.has_value()) << line;
        ASSERT_TRUE(families.contains(current_) && name.starts_with(current_))
            << "a sample away from its family: " << line;
        Family& family = families[current_];
        if (family.type != "histogram") {
            EXPECT_EQ(name, current_) << line;
            EXPECT_TRUE(family.samples.emplace(labels, *value).second) << "twice: " << line;
            EXPECT_TRUE(family.type != "counter" || *value >= 0) << line;
            return;
        }
        const std::string part = name.substr(current_.size());
        if (part == "_bucket") {
            ASSERT_TRUE(labels.contains("le")) << line;
            const double bound = number(labels["le"]).value_or(NAN);
            labels.erase("le");
            EXPECT_TRUE(family.buckets[labels].emplace(bound, *value).second) << "twice: " << line;
        } else {
            ASSERT_TRUE(part == "_sum" || part == "_count") << line;
            auto& to = part == "_sum" ? family.sums : family.counts;
            EXPECT_TRUE(to.emplace(labels, *value).second) << "twice: " << line;
        }
    }

    static std::optional<double> number(const std::string& text) {
        if (text == "+Inf") return INFINITY;
        double value = 0;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
        return value;
    }

    // {a="b",c="d"}: names in order, values with \\, \" and \n.
    static Labels read_labels(const std::string& line, size_t at) {
        Labels labels;
        std::string last;
        while (at < line.size() && line[at] != '}') {
            const size_t equals = line.find("=\"", at + 1);
            const std::string name = line.substr(at + 1, equals - at - 1);
            EXPECT_TRUE(is_name(name, false)) << line;
            EXPECT_LT(last, name) << "labels are not in order: " << line;
            last = name;
            std::string value;
            for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
                if (line[at] == '\\') ++at;
                value += line[at];
            }
            labels[name] = value;
            ++at;
        }
        return labels;
    }

    static void check(const std::string& name, const Family& family) {
        if (family.type != "histogram") return;
        EXPECT_FALSE(family.buckets.empty()) << name;
        for (const auto& [labels, buckets] : family.buckets) {
            EXPECT_TRUE(std::isinf(buckets.rbegin()->first)) << name << " has no +Inf";
            double below = 0;
            for (const auto& [bound, count] : buckets) {
                EXPECT_GE(count, below) << name << " is not cumulative at " << bound;
                below = count;
            }
            ASSERT_TRUE(family.counts.contains(labels) && family.sums.contains(labels)) << name;
            EXPECT_EQ(family.counts.at(labels), below) << name << ": +Inf is not the count";
        }
    }

    std::string helped_, current_;
};

}  // namespace fathom::testing
