// What allocations cost without traffic: memory while they stand idle, CPU time while they come and go.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "turnbench/options.hpp"
#include "turnbench/usage.hpp"

namespace turnpike::bench {

struct IdleResult {
  std::uint64_t allocations = 0;
  std::chrono::nanoseconds time{};  // to make them, one after another
  Usage usage;                      // for making them; resident memory is what they keep
};

// Makes options.count allocations, each from a port of its own, reads the server's memory and deletes them.
IdleResult run_idle(const Options& options, const UsageMeter& meter);

struct CyclesResult {
  std::uint64_t cycles = 0;    // Allocate (401, then success) and Refresh with lifetime 0 (success)
  std::uint64_t failures = 0;  // an error or no answer somewhere in a cycle
  std::string first_failure;
  std::chrono::nanoseconds time{};
  Usage usage;
};

// Keeps options.concurrency clients going for options.duration. Each cycle has a new port, as a new client
// would.
CyclesResult run_cycles(const Options& options, const UsageMeter& meter);

}  // namespace turnpike::bench
