// Converts a turnserver.conf of coturn to a configuration of turnpike.
#pragma once

#include <iosfwd>
#include <string>

namespace turnpike::turnpikectl {

// Returns the configuration as YAML. Comments in it name, with the line's number, what has no counterpart and
// what would be dangerous. `name` is the name of the file.
std::string convert_coturn_config(std::istream& file, const std::string& name);

}  // namespace turnpike::turnpikectl
