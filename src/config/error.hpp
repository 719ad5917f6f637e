// What is wrong with a configuration, in the words an operator reads. No error ever carries a value from
// below `auth`.
#pragma once

#include <string>
#include <vector>

namespace turnpike::config {

struct Error {
  std::string where;    // "FILE:LINE", "FILE" when no line is to blame, or "--set KEY=VALUE"
  std::string key;      // dotted path, such as "relay.addresses[1]"; empty when the whole text is meant
  std::string problem;  // "expected ... (got ...)", or a sentence of its own
};

using Errors = std::vector<Error>;

// "FILE:LINE: key.path: expected ... (got ...)"; one line, without control characters.
std::string to_string(const Error& error);

}  // namespace turnpike::config
