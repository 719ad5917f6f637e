// Writes metrics in the text format of Prometheus. They are made from the lists of counters
// (turnpike/base/counter.hpp) and from gauges that the daemon reads for each scrape.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/counter.hpp"
#include "turnpike/base/histogram.hpp"

namespace turnpike::admin {

enum class MetricKind : std::uint8_t { counter, gauge, histogram };

// How many values of a histogram are `up_to` or less. The last bucket counts all values.
struct Bucket {
  double up_to = 0;
  std::uint64_t count = 0;
};

// One series of a metric family. Series with the same family name form one family.
struct Metric {
  std::string family;  // without the prefix, such as "dropped_total"
  std::string help;    // of this series; see help_of_family()
  MetricKind kind = MetricKind::gauge;
  std::string labels;             // in the text format: `reason="malformed",side="peer"`; may be empty
  double value = 0;               // for a histogram, the sum of its values
  std::vector<Bucket> buckets{};  // for a histogram
};

// Adds a series for each row of the struct's list that has a family.
template <class Counters>
void add_metrics(std::vector<Metric>& metrics, const Counters& counters) {
  for (const CounterRow<Counters>& row : kCounterList<Counters>) {
    if (row.family.empty()) continue;
    metrics.push_back({std::string(row.family), std::string(row.help), MetricKind::counter,
                       std::string(row.labels), static_cast<double>((counters.*row.counter).value())});
  }
}

// Makes a metric from a histogram whose values have the unit `unit`: 1e-9 when nanoseconds were counted and
// seconds are shown.
template <unsigned kFirst, unsigned kLast>
Metric to_metric(const char* family, const char* help, const Histogram<kFirst, kLast>& histogram,
                 double unit = 1) {
  Metric metric{family, help, MetricKind::histogram, {}, static_cast<double>(histogram.sum()) * unit};
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < histogram.kRanges; ++i) {
    count += histogram.in_range(i);
    const bool is_last = i + 1 == histogram.kRanges;
    metric.buckets.push_back(
        {is_last ? std::numeric_limits<double>::infinity() : static_cast<double>(histogram.end_of(i)) * unit,
         count});
  }
  return metric;
}

// Adds the metrics of this process that Linux provides, with the names that Prometheus uses
// (process_resident_memory_bytes and others). They have no prefix of ours.
void add_process_metrics(std::vector<Metric>& metrics);

// Writes `name="value"`, with the value escaped for the text format.
std::string label(std::string_view name, std::string_view value);

// What a family is about whose series have different helps, since Prometheus shows one text for all of them.
// Empty for the other families.
std::string_view help_of_family(std::string_view family);

// Writes the whole response to a scrape. The help of a family is help_of_family(), or that of its first
// series.
std::string to_prometheus(const std::vector<Metric>& metrics);
inline constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace turnpike::admin
