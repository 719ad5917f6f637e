// The memory that a process uses.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <fstream>
#include <string>

namespace turnpike::test {

// Resident memory in KiB; 0 when the process has ended.
inline std::size_t resident_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

// Mapped memory in KiB, which RLIMIT_AS limits.
inline std::size_t mapped_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmSize:")) return std::stoul(line.substr(7));
  }
  return 0;
}

// Whether the process runs with a sanitizer. Its memory is then no useful measure, since a sanitizer keeps
// freed memory for a while and uses much memory itself.
inline bool has_sanitizer(pid_t pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("libasan") != line.npos || line.find("libtsan") != line.npos) return true;
  }
  return false;
}

}  // namespace turnpike::test
