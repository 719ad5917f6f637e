// How many cores this process may use.
#pragma once

namespace turnpike::daemon {

// The CPU affinity (cpusets included), and no more than the cgroup's CPU quota, rounded up; at least 1.
unsigned usable_cores();

}  // namespace turnpike::daemon
