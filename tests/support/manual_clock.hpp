// Time that passes when a test says so. Both clocks start at round numbers far from zero, as they do on a
// machine that has been up for a while.
#pragma once

#include "turnpike/base/time.hpp"

namespace turnpike::test {

class ManualClock {
 public:
  TimePoint now() const { return now_; }
  void advance(Duration d) { now_ = now_ + d; }

  // The wall clock alone was set, as NTP or an operator does it.
  void set_wall(Duration d) { now_.wall += d; }

 private:
  TimePoint now_{SteadyTime(std::chrono::hours(24)), WallTime(std::chrono::seconds(1'735'689'600))};
};

}  // namespace turnpike::test
