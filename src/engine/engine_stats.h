#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "engine/scheduler.h"

namespace fathom {

// How many tokens the steps computed, as vllm:iteration_tokens_total counts them.
struct StepTokens {
    static constexpr std::array<int, 13> kBounds = {1,   8,    16,   32,   64,   128,  256,
                                                    512, 1024, 2048, 4096, 8192, 16384};
    // counts[i]: steps of at most kBounds[i] tokens and more than the bound before; the last: of
    // more than all.
    std::array<int64_t, kBounds.size() + 1> counts{};
    int64_t sum = 0;

    void add(int tokens) {
        ++counts[std::ranges::lower_bound(kBounds, tokens) - kBounds.begin()];
        sum += tokens;
    }
};

// What the engine has done and is doing; all of it of one moment, between two steps or at the
// beginning of one.
struct EngineStats : SchedulerCounts {
    int64_t running = 0, waiting = 0;
    int64_t blocks = 0, blocks_used = 0;
    int64_t steps = 0;
    StepTokens step_tokens;
};

}  // namespace fathom
