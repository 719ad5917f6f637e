// Reads files that the configuration names, such as keys and secrets. This happens on the main thread, so a
// named pipe or a device, on which a read could wait for ever, is refused.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "turnpike/base/result.hpp"

namespace turnpike::net {

struct FileProblem {
  std::string text;  // follows the name of the file in a message: "cannot be read: No such file or directory"
};

// Returns why the file cannot be read; nothing when it can.
std::optional<FileProblem> find_file_problem(const std::string& path);

// Reads the whole file. A file with more than `most` octets is a problem.
Result<std::string, FileProblem> read_regular_file(const std::string& path, std::size_t most);

}  // namespace turnpike::net
