// The cost of allocations without traffic: memory while they are idle, and CPU time to make and delete them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "turnbench/options.hpp"
#include "turnbench/usage.hpp"

namespace turnpike::bench {

struct IdleResult {
  std::uint64_t allocations = 0;
  std::chrono::nanoseconds time{};  // to make all of them, one after another
  Usage usage;                      // while making them; resident memory is what they keep
};

// Makes options.baseline allocations, so that the server's set-up is not counted. Then makes options.count
// more, each from its own port, reads how the server's memory has grown, and deletes all.
IdleResult run_idle(const Options& options, const UsageMeter& meter);

struct CyclesResult {
  std::uint64_t cycles = 0;  // one cycle: Allocate (401, then success) and Refresh with lifetime 0 (success)
  std::uint64_t failures = 0;  // cycles with an error or a missing answer
  std::string first_failure;
  std::chrono::nanoseconds time{};
  Usage usage;
};

// Keeps options.concurrency clients busy for options.duration. Each cycle uses a new port, as a new client
// would.
CyclesResult run_cycles(const Options& options, const UsageMeter& meter);

}  // namespace turnpike::bench
