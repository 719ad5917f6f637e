// How many cores this process may use.
#pragma once

namespace turnpike::daemon {

// Returns the number of cores of the CPU affinity (including cpusets), limited by the CPU quota of the
// cgroup, rounded up; at least 1.
unsigned usable_cores();

}  // namespace turnpike::daemon
