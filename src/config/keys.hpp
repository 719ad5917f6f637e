// The table of keys: the place of each key, its default value, and the reader that stores it in the Config.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/node.hpp"
#include "config/value.hpp"

namespace turnpike::config {

// The value of Config::written for this document.
std::map<std::string, std::string> written_values(const YamlNode& document);

// The value of Config::places for this document.
Places places_in(const YamlNode& document);

// Reads all entries of the document into `config`. Reports unknown keys.
void read_keys(const Value& document, Config& config);

// Splits a dotted path into names. For a map with free names, the rest of the path is one name, even with
// dots: "auth.users.bob@example.org" is {"auth", "users", "bob@example.org"}.
std::vector<std::string> split_path(std::string_view path);

// Whether the table has this key, or keys below it.
bool is_known_path(std::string_view path);

}  // namespace turnpike::config
