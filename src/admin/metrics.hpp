// Metrics in the text format of Prometheus. What they are made of are the lists of counters
// (turnpike/base/counter.hpp) and gauges that the daemon reads when it is asked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/counter.hpp"

namespace turnpike::admin {

enum class MetricKind : std::uint8_t { counter, gauge };

// One series of one family. Families are told apart by their names; their series stand together.
struct Metric {
  std::string family;  // without the prefix, such as "dropped_total"
  std::string help;    // of the first series of a family
  MetricKind kind = MetricKind::gauge;
  std::string labels;  // as in the text format: `reason="malformed",side="peer"`; empty without any
  double value = 0;
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

// What Linux tells of this process, by the names that Prometheus has for it (process_resident_memory_bytes
// and others). These families have no prefix of ours.
void add_process_metrics(std::vector<Metric>& metrics);

// `name="value"`, with the value escaped as the text format wants it.
std::string label(std::string_view name, std::string_view value);

// The whole of a response to a scrape.
std::string to_prometheus(const std::vector<Metric>& metrics);
inline constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace turnpike::admin
