#include "server/timeline.h"

#include "base/trace.h"

namespace fathom {
namespace {

void span(const char* name, uint64_t id, Clock::time_point begin, Clock::time_point end) {
    if (has_come(begin) && has_come(end)) trace::request_span(name, id, begin, end);
}

}  // namespace

void trace_choice(uint64_t id, const Timeline& t) {
    if (!trace::recording()) return;
    span("request", id, t.arrived, t.last_token);
    span("queue", id, t.queued, t.scheduled);
    span("run", id, t.scheduled, t.last_token);
}

}  // namespace fathom
