#include "server/exposition.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <cmath>

#include "api/json_text.h"
#include "base/check.h"

namespace fathom {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<std::pair<std::string, std::string>>;

std::string value_text(double value) {
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return std::isnan(value) ? "NaN" : api::float_text(value);
}

std::string escaped(const std::string& text, bool quotes) {
    std::string out;
    for (const char c : text) {
        if (c == '\n') {
            out += "\\n";
            continue;
        }
        if (c == '\\' || (quotes && c == '"')) out += '\\';
        out += c;
    }
    return out;
}

class Writer {
public:
    void head(const std::string& name, const std::string& help, const char* type) {
        out_ += "# HELP " + name + " " + escaped(help, /*quotes=*/false) + "\n# TYPE " + name +
                " " + type + "\n";
    }
    void sample(const std::string& name, Labels labels, double value) {
        std::ranges::sort(labels);
        out_ += name;
        for (const auto& [key, text] : labels) {
            out_ += &key == &labels[0].first ? '{' : ',';
            out_ += key + "=\"" + escaped(text, /*quotes=*/true) + '"';
        }
        out_ += (labels.empty() ? " " : "} ") + value_text(value) + "\n";
    }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

Labels labels_of(const ClientMetric& metric) {
    Labels labels;
    for (const ClientMetric::Label& label : metric.label)
        labels.emplace_back(label.name, label.value);
    return labels;
}

void write_histogram(Writer& out, const std::string& name, const ClientMetric& metric) {
    const Labels labels = labels_of(metric);
    for (const ClientMetric::Bucket& bucket : metric.histogram.bucket) {
        Labels more = labels;
        more.emplace_back("le", value_text(bucket.upper_bound));
        out.sample(name + "_bucket", std::move(more), static_cast<double>(bucket.cumulative_count));
    }
    out.sample(name + "_count", labels, static_cast<double>(metric.histogram.sample_count));
    out.sample(name + "_sum", labels, metric.histogram.sample_sum);
}

// The library keeps the series of a family in a hash table.
std::vector<const ClientMetric*> in_order(const MetricFamily& family) {
    std::vector<const ClientMetric*> series;
    for (const ClientMetric& metric : family.metric) series.push_back(&metric);
    std::ranges::sort(series, {}, [](const ClientMetric* metric) { return labels_of(*metric); });
    return series;
}

void write_created(Writer& out, const MetricFamily& family,
                   const std::vector<const ClientMetric*>& series, double created) {
    std::string name = family.name;
    if (family.type == MetricType::Counter && name.ends_with("_total"))
        name.resize(name.size() - 6);
    out.head(name + "_created", family.help, "gauge");
    for (const ClientMetric* metric : series)
        out.sample(name + "_created", labels_of(*metric), created);
}

}  // namespace

std::string exposition(const std::vector<MetricFamily>& families, double created) {
    Writer out;
    for (const MetricFamily& family : families) {
        const bool counter = family.type == MetricType::Counter;
        const bool histogram = family.type == MetricType::Histogram;
        CHECK(counter || histogram || family.type == MetricType::Gauge, family.name);
        out.head(family.name, family.help, counter ? "counter" : histogram ? "histogram" : "gauge");
        const std::vector<const ClientMetric*> series = in_order(family);
        for (const ClientMetric* metric : series) {
            if (histogram)
                write_histogram(out, family.name, *metric);
            else
                out.sample(family.name, labels_of(*metric),
                           counter ? metric->counter.value : metric->gauge.value);
        }
        if (counter || histogram) write_created(out, family, series, created);
    }
    return out.take();
}

}  // namespace fathom
