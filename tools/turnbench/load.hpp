// The traffic: one thread sends through the server at the requested rate and counts what arrives at the other
// side.
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
  std::chrono::nanoseconds time{};  // measured time
  Usage usage;                      // during that time
  std::uint64_t arrived = 0;        // during that time; CPU time is divided by it
  std::uint64_t sent = 0;           // during that time
  std::uint64_t skipped = 0;        // due during that time, but the load was too late to send them
  std::uint64_t delivered = 0;      // of those sent during that time, even if they arrived later
  std::uint64_t strays = 0;         // arrived at a wrong socket, or damaged
  Histogram latency;                // of the delivered ones, in nanoseconds, one way
};

// Warms up, measures, and then waits for the datagrams under way.
LoadResult run_load(std::vector<Lane>& lanes, const Options& options, const UsageMeter& meter);

}  // namespace turnpike::bench
