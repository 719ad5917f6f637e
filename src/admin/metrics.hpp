// Metrics in the text format of Prometheus. What they are made of are the lists of counters
// (turnpike/base/counter.hpp) and gauges that the daemon reads when it is asked.
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

// How many of a histogram's values were `up_to` or less; the last one has all of them.
struct Bucket {
  double up_to = 0;
  std::uint64_t count = 0;
};

// One series of one family. Families are told apart by their names; their series stand together.
struct Metric {
  std::string family;  // without the prefix, such as "dropped_total"
  std::string help;    // of the first series of a family
  MetricKind kind = MetricKind::gauge;
  std::string labels;  // as in the text format: `reason="malformed",side="peer"`; empty without any
  double value = 0;    // of a histogram the sum of what was counted
  std::vector<Bucket> buckets{};  // of a histogram
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

// A histogram of values that are `unit` each: 1e-9 where nanoseconds were counted and seconds are shown.
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

// What Linux tells of this process, by the names that Prometheus has for it (process_resident_memory_bytes
// and others). These families have no prefix of ours.
void add_process_metrics(std::vector<Metric>& metrics);

// `name="value"`, with the value escaped as the text format wants it.
std::string label(std::string_view name, std::string_view value);

// The whole of a response to a scrape.
std::string to_prometheus(const std::vector<Metric>& metrics);
inline constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace turnpike::admin
