// The errors of a configuration, in words for an operator. An error never contains a value from below `auth`.
#pragma once

#include <string>
#include <vector>

namespace turnpike::config {

struct Error {
  std::string where;    // "FILE:LINE", "FILE" when it is about no single line, or "--set KEY=VALUE"
  std::string key;      // dotted path, such as "relay.addresses[1]"; empty for the whole text
  std::string problem;  // "expected ... (got ...)", or another sentence
};

using Errors = std::vector<Error>;

// Writes "FILE:LINE: key.path: expected ... (got ...)" on one line, without control characters.
std::string to_string(const Error& error);

}  // namespace turnpike::config
