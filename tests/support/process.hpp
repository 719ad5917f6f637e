// What a process uses of the machine.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <fstream>
#include <string>

namespace turnpike::test {

// Memory, in KiB; 0 for one that is gone.
inline std::size_t resident_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

// What it has mapped, of which RLIMIT_AS is a limit.
inline std::size_t mapped_kib(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmSize:")) return std::stoul(line.substr(7));
  }
  return 0;
}

// Whether its memory says nothing: a sanitizer keeps what was freed for a while, and has much of its own.
inline bool has_sanitizer(pid_t pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("libasan") != line.npos || line.find("libtsan") != line.npos) return true;
  }
  return false;
}

}  // namespace turnpike::test
