#include "text/stop_strings.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace fathom {

StopStrings::StopStrings(std::vector<std::string> stops, bool include_in_output)
    : include_in_output_(include_in_output) {
    for (std::string& stop : stops) {
        CHECK(!stop.empty(), "an empty stop string, of ", stops.size());
        std::vector<int> borders(stop.size() + 1);
        for (size_t i = 1, border = 0; i < stop.size(); ++i) {
            while (border > 0 && stop[i] != stop[border]) border = borders[border];
            if (stop[i] == stop[border]) ++border;
            borders[i + 1] = static_cast<int>(border);
        }
        matchers_.push_back({std::move(stop), std::move(borders)});
    }
}

bool StopStrings::Matcher::push(char byte) {
    while (agreed > 0 && stop[agreed] != byte) agreed = borders[agreed];
    if (stop[agreed] == byte) ++agreed;
    if (agreed < static_cast<int>(stop.size())) return false;
    agreed = borders[agreed];
    return true;
}

std::string StopStrings::push(std::string_view text, bool may_stop) {
    CHECK(!matched_, "text after the stop string ", *matched_);
    const size_t before = held_.size();
    held_ += text;
    size_t may_belong = 0;
    for (Matcher& matcher : matchers_) {
        for (size_t i = before; i < held_.size(); ++i) {
            if (!matcher.push(held_[i]) || !may_stop) continue;
            matched_ = matcher.stop;
            held_.resize(i + 1 - (include_in_output_ ? 0 : matcher.stop.size()));
            return std::exchange(held_, {});
        }
        may_belong = std::max(may_belong, static_cast<size_t>(matcher.agreed));
    }
    if (include_in_output_) may_belong = 0;
    std::string shown = held_.substr(0, held_.size() - may_belong);
    held_.erase(0, shown.size());
    return shown;
}

std::string StopStrings::flush() { return std::exchange(held_, {}); }

}  // namespace fathom
