// Sleeps until the next one of many points in time that are a period apart. A thread that sleeps often pays
// less here than with clock_nanosleep(), because setting the clock of the processor is the most expensive
// part of a sleep: in a virtual machine, the hypervisor does it. Two timers take turns. While one is about to
// expire, the other one is already set for a period later, and the first one is set again only behind that.
// So setting a timer never changes which one expires first, and the kernel sets the clock once for each
// point, when the point before has come.
#pragma once

#include <array>
#include <chrono>

#include "net/fd.hpp"

namespace turnpike::relay {

// Belongs to one thread.
class PauseTimer {
 public:
  // Of std::chrono::steady_clock.
  using Time = std::chrono::nanoseconds;

  // Throws std::system_error when the process has no descriptors left. With a period of 0 there are no
  // points.
  explicit PauseTimer(std::chrono::microseconds period);
  // The next point is a period from now. The period becomes 0 where the clock of the kernel is too coarse for
  // it, because every sleep would be longer there.
  void set_period(std::chrono::microseconds period);
  std::chrono::microseconds period() const { return period_; }

  // Sleeps until the first point after `now`, the present time. Points that have passed unused cost nothing
  // but two system calls. Returns at once when the period is 0.
  void wait(Time now);

 private:
  // One of the two timers. It expires at every second point.
  struct Timer {
    net::Fd fd;
    Time next{};  // when it expires, or has expired
  };

  std::chrono::microseconds period_{};
  std::array<Timer, 2> timers_;
};

}  // namespace turnpike::relay
