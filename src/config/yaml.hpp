// YAML text into a YamlNode. The one place that knows yaml-cpp.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "config/error.hpp"
#include "config/node.hpp"
#include "turnpike/base/result.hpp"

namespace turnpike::config {

// Says how a line of the text is called in errors; lines count from 1, and 0 stands for the whole text.
using Locate = std::function<std::string(int line)>;

// Takes one document at most; an empty text gives Kind::null. Anchors, aliases and tags are refused: a
// configuration needs none, and an alias would be a second way to say who a secret belongs to.
Result<YamlNode, Error> parse_yaml(std::string_view text, const Locate& locate);

}  // namespace turnpike::config
