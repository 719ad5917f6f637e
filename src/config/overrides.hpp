// The command line's `--set key.path=value`, applied to the document before anything reads it.
#pragma once

#include <string_view>

#include "config/error.hpp"
#include "config/node.hpp"

namespace turnpike::config {

// Replaces, or adds, the value at a key path; the value is YAML, and a list or a map is replaced as a whole.
void apply_override(std::string_view override_text, YamlNode& root, Errors& errors);

}  // namespace turnpike::config
