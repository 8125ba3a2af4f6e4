#pragma once

#include <functional>

#include "tensor/workers.h"

// What the machine can do at most, measured in the run whose numbers are compared with it.
namespace fathom::testing {

// cpu: the time that the calling thread had a processor, which others who use the machine lengthen
// little; for work of one thread only.
enum class Clock : uint8_t { wall, cpu };
inline Clock clock_for(int threads) { return threads == 1 ? Clock::cpu : Clock::wall; }

// The shortest of several calls of f, in seconds. What else happens on the machine only makes calls
// longer, so the shortest is nearest to what the code costs. Stops after about `budget` seconds of
// wall time, but not before three calls; the first one only warms up.
double best_seconds(const std::function<void()>& f, Clock clock, double budget = 0.3);

// Bytes per second that all threads together read from memory: sums over buffers that are much
// larger than the caches.
double read_bandwidth(Workers& workers);

// Bytes per second read plus written, copying between such buffers.
double copy_bandwidth(Workers& workers);

}  // namespace fathom::testing
