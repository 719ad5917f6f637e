// Time as an argument. These clocks have no now(): nothing in a pure layer can read one, so a test or a
// replay decides what time it is.
#pragma once

#include <chrono>

namespace turnpike {

using Duration = std::chrono::milliseconds;

// Monotonic; counts from an arbitrary origin. Every lifetime is measured with it.
struct SteadyClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<SteadyClock>;
};

// Counts from the Unix epoch and may jump. It is used only for times that are agreed on with others: the
// expiry of REST credentials, access tokens, and nonces.
struct WallClock {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<WallClock>;
};

using SteadyTime = SteadyClock::time_point;
using WallTime = WallClock::time_point;

// One moment by both clocks, read once per batch.
struct TimePoint {
  SteadyTime steady;
  WallTime wall;

  TimePoint operator+(Duration d) const { return {steady + d, wall + d}; }
};

}  // namespace turnpike
