// A clock that only the test advances. Both times start at round numbers far from zero, as on a machine that
// has been up for a while.
#pragma once

#include "turnpike/base/time.hpp"

namespace turnpike::test {

class ManualClock {
 public:
  TimePoint now() const { return now_; }
  void advance(Duration d) { now_ = now_ + d; }

  // Changes only the wall clock, as NTP or an operator can.
  void set_wall(Duration d) { now_.wall += d; }

 private:
  TimePoint now_{SteadyTime(std::chrono::hours(24)), WallTime(std::chrono::seconds(1'735'689'600))};
};

}  // namespace turnpike::test
