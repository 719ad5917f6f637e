// The traffic itself: one thread that sends through the server as fast as asked and counts what comes out at
// the other side.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "turnbench/histogram.hpp"
#include "turnbench/lane.hpp"
#include "turnbench/options.hpp"
#include "turnbench/usage.hpp"

namespace turnpike::bench {

struct LoadResult {
  std::chrono::nanoseconds time{};  // that was measured
  Usage usage;                      // in that time
  std::uint64_t arrived = 0;        // in that time; what CPU time is divided by
  std::uint64_t sent = 0;           // in that time
  std::uint64_t delivered = 0;      // of those sent in that time, also when they arrived after it
  std::uint64_t strays = 0;         // arrived where they do not belong, or damaged
  Histogram latency;                // of those delivered, in nanoseconds, one way
};

// Warms up, measures, and waits until what is under way has settled.
LoadResult run_load(std::vector<Lane>& lanes, const Options& options, const UsageMeter& meter);

}  // namespace turnpike::bench
