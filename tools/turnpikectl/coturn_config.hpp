// Converts a turnserver.conf of coturn to a configuration of turnpike.
#pragma once

#include <iosfwd>
#include <string>

namespace turnpike::turnpikectl {

// The configuration as YAML. What has no counterpart, and what would be dangerous, is a comment in it with
// the number of the line. `name` is that of the file.
std::string convert_coturn_config(std::istream& file, const std::string& name);

}  // namespace turnpike::turnpikectl
