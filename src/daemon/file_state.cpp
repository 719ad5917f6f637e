#include "daemon/file_state.hpp"

#include <sys/stat.h>

#include <cerrno>

namespace turnpike::daemon {

std::vector<FileState> states_of(const std::vector<std::string>& files) {
  constexpr std::int64_t kNanoseconds = 1'000'000'000;  // in a second
  std::vector<FileState> states;
  states.reserve(files.size());
  for (const std::string& file : files) {
    struct stat status {};
    if (stat(file.c_str(), &status) != 0) {
      states.push_back({.error = errno});
      continue;
    }
    states.push_back({.error = 0,
                      .device = status.st_dev,
                      .inode = status.st_ino,
                      .size = status.st_size,
                      .changed_at = status.st_ctim.tv_sec * kNanoseconds + status.st_ctim.tv_nsec});
  }
  return states;
}

}  // namespace turnpike::daemon
