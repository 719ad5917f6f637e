// Applies the command line's `--set key.path=value` to the document before it is read.
#pragma once

#include <string_view>

#include "config/error.hpp"
#include "config/node.hpp"

namespace turnpike::config {

// Replaces or adds the value at a key path. The value is YAML; a list or a map is replaced as a whole.
void apply_override(std::string_view override_text, YamlNode& root, Errors& errors);

}  // namespace turnpike::config
