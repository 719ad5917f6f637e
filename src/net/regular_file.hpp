// Files that the configuration names, such as keys and secrets. They are read on the thread that controls
// everything, so a named pipe or a device, which could let it wait for ever, is refused.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "turnpike/base/result.hpp"

namespace turnpike::net {

struct FileProblem {
  std::string text;  // to be written behind the file's name: "cannot be read: No such file or directory"
};

// Why the file cannot be read; nothing where it can.
std::optional<FileProblem> find_file_problem(const std::string& path);

// At most `most` octets; a longer file is a problem.
Result<std::string, FileProblem> read_regular_file(const std::string& path, std::size_t most);

}  // namespace turnpike::net
