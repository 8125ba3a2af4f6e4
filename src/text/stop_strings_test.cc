#include "text/stop_strings.h"

#include <gtest/gtest.h>

#include <random>

namespace fathom {
namespace {

// What vLLM does, on the whole text: after each step look for each stop string in what could hold a
// match that ends in this step, in list order.
struct Expected {
    std::string text;
    std::optional<std::string> matched;
    size_t steps;  // that were looked at
};

Expected expect_of(const std::vector<std::string>& steps, const std::vector<std::string>& stops,
                   bool include, size_t steps_min) {
    std::string text;
    for (size_t i = 0; i < steps.size(); ++i) {
        const size_t before = text.size();
        text += steps[i];
        if (i < steps_min) continue;
        for (const std::string& stop : stops) {
            const size_t from = before + 1 > stop.size() ? before + 1 - stop.size() : 0;
            const size_t at = text.find(stop, from);
            if (at == std::string::npos) continue;
            return {text.substr(0, at + (include ? stop.size() : 0)), stop, i + 1};
        }
    }
    return {text, std::nullopt, steps.size()};
}

std::string random_word(std::mt19937& rng, size_t bytes_max) {
    std::string word(1 + rng() % bytes_max, 'a');
    for (char& letter : word) letter = "ab\n"[rng() % (rng() % 4 ? 2 : 3)];
    return word;
}

TEST(StopStrings, EqualsSearchInTheWholeText) {
    std::mt19937 rng(5);
    int matches = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::vector<std::string> stops(rng() % 4), steps(rng() % 30);
        for (std::string& stop : stops) stop = random_word(rng, 7);
        for (std::string& step : steps) step = random_word(rng, 4).substr(rng() % 2);
        const bool include = rng() % 2 == 0;
        const size_t steps_min = rng() % 3 == 0 ? rng() % 12 : 0;
        const Expected expected = expect_of(steps, stops, include, steps_min);

        StopStrings matcher(stops, include);
        std::string text;
        size_t done = 0;
        size_t longest = 1;
        for (const std::string& stop : stops) longest = std::max(longest, stop.size());
        for (size_t all = 0; done < steps.size() && !matcher.matched(); ++done) {
            text += matcher.push(steps[done], done >= steps_min);
            all += steps[done].size();
            if (!matcher.matched()) {
                ASSERT_GE(text.size() + longest - 1, all);
            }
            if (include && !matcher.matched()) {
                ASSERT_EQ(text.size(), all);
            }
        }
        text += matcher.flush();
        ASSERT_EQ(text, expected.text) << "case " << i;
        ASSERT_EQ(matcher.matched(), expected.matched) << "case " << i;
        ASSERT_EQ(done, expected.steps) << "case " << i;
        matches += matcher.matched().has_value();
    }
    EXPECT_GT(matches, 5000);  // or nothing was tested
}

// However the text is cut, one stop string ends it in the same place.
TEST(StopStrings, EverySplitOfAText) {
    const std::string text = "aab aabaab</sto</s>tail";
    for (uint32_t cuts = 0; cuts < 1u << (text.size() - 1); cuts += 37) {
        StopStrings matcher({"</s>"}, false);
        std::string shown, step;
        for (size_t i = 0; i < text.size() && !matcher.matched(); ++i) {
            step += text[i];
            if (i + 1 < text.size() && !(cuts >> i & 1)) continue;
            shown += matcher.push(step);
            step.clear();
        }
        ASSERT_EQ(shown + matcher.flush(), "aab aabaab</sto") << cuts;
    }
}

TEST(StopStrings, HoldsBackOnlyWhatMayBelong) {
    StopStrings matcher({"stop", "\n\n"}, false);
    EXPECT_EQ(matcher.push("first."), "first.");
    EXPECT_EQ(matcher.push(" st"), " ");
    EXPECT_EQ(matcher.push("ars\n"), "stars");
    EXPECT_EQ(matcher.push("x\n"), "\nx");
    EXPECT_EQ(matcher.push("\nrest"), "");
    EXPECT_EQ(matcher.matched(), "\n\n");
    EXPECT_EQ(matcher.flush(), "");
}

TEST(StopStrings, TheFirstOfTheListCounts) {
    StopStrings matcher({"late", "early"}, false);
    EXPECT_EQ(matcher.push("an early and a late one"), "an early and a ");
    EXPECT_EQ(matcher.matched(), "late");
}

TEST(StopStrings, NoneLetsAllPass) {
    StopStrings matcher({}, false);
    EXPECT_EQ(matcher.push("anything"), "anything");
    EXPECT_EQ(matcher.matched(), std::nullopt);
}

// A stop string of many bytes that nearly matches everywhere takes no more than linear time: with
// a comparison at each byte this would be 10^11 steps.
TEST(StopStrings, LongAndNearlyMatching) {
    StopStrings matcher({std::string(300'000, 'a') + "b"}, false);
    std::string shown;
    for (int i = 0; i < 4000; ++i) shown += matcher.push(std::string(100, 'a'));
    EXPECT_EQ(shown.size(), 100'000u);
    EXPECT_EQ(matcher.push("b"), "");
    EXPECT_TRUE(matcher.matched().has_value());
}

TEST(StopStringsDeathTest, EmptyStopStringAndTextAfterTheEnd) {
    EXPECT_DEATH(StopStrings({"a", ""}, false), "an empty stop string");
    StopStrings matcher({"a"}, false);
    EXPECT_EQ(matcher.push("a"), "");
    EXPECT_DEATH(static_cast<void>(matcher.push("b")), "text after the stop string a");
}

}  // namespace
}  // namespace fathom
