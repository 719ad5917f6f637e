// The errors of a configuration, in words for an operator. An error never contains a value from below `auth`.
#pragma once

#include <string>
#include <vector>

namespace turnpike::config {

struct Error {
  // "FILE:LINE", "FILE" when it is about no single line, or "--set KEY=VALUE". Empty when it is not known.
  std::string where;
  std::string key;      // dotted path, such as "relay.addresses[1]"; empty for the whole text
  std::string problem;  // "expected ... (got ...)", or another sentence
  // The key whose value was not read because of this error, such as that of a misspelled name; empty for
  // none.
  std::string left_out{};
};

using Errors = std::vector<Error>;

// Writes "FILE:LINE: key.path: expected ... (got ...)" on one line, without control characters.
std::string to_string(const Error& error);

}  // namespace turnpike::config
