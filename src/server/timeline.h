#pragma once

#include <cstdint>

#include "base/clock.h"

namespace fathom {

// When things happened to one choice of a request. A point that did not come is the epoch, and what
// would be counted from it is left out.
struct Timeline {
    Clock::time_point arrived;    // Last byte of the request (http::Request::arrived).
    Clock::time_point queued;     // Given to the engine.
    Clock::time_point scheduled;  // TokenEvent::scheduled
    Clock::time_point first_token, last_token;
};

inline bool has_come(Clock::time_point point) { return point != Clock::time_point(); }

// The choice's spans in the trace that is being recorded, if one is: "request" from its arrival to
// its last token, in it "queue" and "run". `id` is the engine's. Call when it has ended.
void trace_choice(uint64_t id, const Timeline& timeline);

}  // namespace fathom
