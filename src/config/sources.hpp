// Secrets from outside the configuration file. In place of a password, a secret or a key, the file may have
// {file: PATH} or {env: NAME}. They are read each time the configuration is read, so a reload gets new
// secrets. PATH may begin with $CREDENTIALS_DIRECTORY, which is the folder of systemd's credentials
// (systemd.exec(5)).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/error.hpp"
#include "config/node.hpp"

namespace turnpike::config {

struct Secrets {
  std::vector<std::string> files;  // that were read
  bool in_document = false;        // at least one is written in the document itself
};

// Replaces the sources in the document by their contents, without the line break at the end of a file. Errors
// name the key and the source, never the contents. A source that cannot be read stays, as YamlNode::reported.
Secrets replace_sources(YamlNode& document, Errors& errors);

// Replaces $CREDENTIALS_DIRECTORY at the beginning of a path. Returns the problem when it is not set.
std::optional<std::string> expand_credentials(std::string& path);
// Returns why an environment variable cannot be used; nothing when it can.
std::optional<std::string> find_variable_problem(const std::string& name);

}  // namespace turnpike::config
