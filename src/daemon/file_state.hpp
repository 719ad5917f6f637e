// The state of a file. It differs when the file was replaced, was written or got other permissions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace turnpike::daemon {

struct FileState {
  int error = 0;  // why there is none
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t changed_at = 0;  // in nanoseconds; permissions count as a change

  bool operator==(const FileState&) const = default;
};

// Returns the state of each file. When the files are read after this call, they are read in this state or a
// later one.
std::vector<FileState> states_of(const std::vector<std::string>& files);

}  // namespace turnpike::daemon
