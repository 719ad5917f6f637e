// When this process started.
#pragma once

namespace turnpike::admin {

// The time in seconds since 1970 at which a process started that began `seconds_after_boot` after the
// machine. It calls `boot_time` only the first time: the two clocks behind it move against each other, and a
// query that counts restarts would take each change for a restart.
inline double process_start(double seconds_after_boot, double (*boot_time)()) {
  static const double started = boot_time() + seconds_after_boot;
  return started;
}

}  // namespace turnpike::admin
