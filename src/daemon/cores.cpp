#include "daemon/cores.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace turnpike::daemon {
namespace {

namespace fs = std::filesystem;

unsigned cores_by_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
}

// cgroup v2: "max 100000" or "150000 100000" (microseconds of quota and period).
std::optional<double> quota_of(const fs::path& group) {
  std::ifstream file(group / "cpu.max");
  double quota = 0;
  double period = 0;
  if (!(file >> quota >> period) || period <= 0) return std::nullopt;
  return quota / period;
}

// Returns the smallest quota from our own group up to the root. Inside a container, the path may name a group
// of the host that is not visible there. Then the root is the container's own group.
double cores_by_quota(double at_most) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::/")) continue;
    const fs::path root = "/sys/fs/cgroup";
    for (fs::path group = root / line.substr(4); group != root.parent_path(); group = group.parent_path()) {
      at_most = std::min(at_most, quota_of(group).value_or(at_most));
    }
  }
  return at_most;
}

}  // namespace

unsigned usable_cores() {
  const double cores = cores_by_quota(cores_by_affinity());
  return std::max(1u, static_cast<unsigned>(std::ceil(cores)));
}

}  // namespace turnpike::daemon
