// The table of keys: what may stand where, what it is by default, and which reader takes it into the Config.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/node.hpp"
#include "config/value.hpp"

namespace turnpike::config {

// See Config::written.
std::map<std::string, std::string> find_written(const YamlNode& document);

// Takes every entry of the document into `config`, reporting unknown keys and those that this build does not
// carry.
void read_keys(const Value& document, Config& config);

// The names a dotted path consists of. What follows the path of a map with free names is one name, dots and
// all: "auth.users.bob@example.org" is {"auth", "users", "bob@example.org"}.
std::vector<std::string> split_path(std::string_view path);

// Whether the table has this key, or keys below it.
bool is_known_path(std::string_view path);

}  // namespace turnpike::config
