// Reads the clocks of the machine, for callers of functions that take the time as an argument.
#pragma once

#include <chrono>

#include "turnpike/base/time.hpp"

namespace turnpike::relay {

inline TimePoint read_clocks() {
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {SteadyTime(std::chrono::duration_cast<Duration>(steady)),
          WallTime(std::chrono::duration_cast<Duration>(wall))};
}

}  // namespace turnpike::relay
