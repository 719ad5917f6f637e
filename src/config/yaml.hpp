// Parses YAML text into a YamlNode. Only this file uses yaml-cpp.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "config/error.hpp"
#include "config/node.hpp"
#include "turnpike/base/result.hpp"

namespace turnpike::config {

// Returns the name of a line for errors. Lines count from 1; 0 means the whole text.
using Locate = std::function<std::string(int line)>;

// Parses at most one document; an empty text gives Kind::null. Anchors, aliases and tags are refused: a
// configuration needs none, and an alias would make it unclear to whom a secret belongs.
Result<YamlNode, Error> parse_yaml(std::string_view text, const Locate& locate);

}  // namespace turnpike::config
