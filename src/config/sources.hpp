// Secrets that do not stand in the configuration: wherever a password, a secret or a key may stand,
// {file: PATH} or {env: NAME} may stand in its place. They are read each time the configuration is, so a
// reload takes new ones. Of a PATH that begins with $CREDENTIALS_DIRECTORY the folder is systemd's
// (systemd.exec(5)).
#pragma once

#include <string>
#include <vector>

#include "config/error.hpp"
#include "config/node.hpp"

namespace turnpike::config {

// Puts what these sources hold in their place, without the line break at the end of a file. Errors name the
// key and the source, never what it holds. Returns the files that were read.
std::vector<std::string> replace_sources(YamlNode& document, Errors& errors);

}  // namespace turnpike::config
