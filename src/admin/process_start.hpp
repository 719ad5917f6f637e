// When this process started.
#pragma once

namespace turnpike::admin {

// In seconds since 1970, of a process that started so long after the boot of the machine. `boot_time` is
// asked only the first time: the two clocks that tell it move against each other, and whoever counts restarts
// takes each change for one.
inline double process_start(double seconds_after_boot, double (*boot_time)()) {
  static const double started = boot_time() + seconds_after_boot;
  return started;
}

}  // namespace turnpike::admin
