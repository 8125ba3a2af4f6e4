#pragma once

#include <string>
#include <vector>

namespace prometheus {
struct MetricFamily;
}

namespace fathom {

// Metrics in Prometheus' text format 0.0.4, as its Python client writes them, which is what vLLM's
// dashboards and clients were made with: labels in order, values as Python prints floats, and for
// each counter and histogram X a gauge X_created with the time it was made (Unix time, s).
std::string exposition(const std::vector<prometheus::MetricFamily>& families, double created);

}  // namespace fathom
