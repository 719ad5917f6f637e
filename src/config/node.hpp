// A YAML document as a tree of plain values, each remembering where it was written. Whoever holds the root
// owns it all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace turnpike::config {

struct YamlEntry;

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, list, map };

  Kind kind = Kind::null;
  std::string where;               // as in Error
  std::string text;                // of a scalar
  bool quoted = false;             // "5" is a text, 5 is a number
  std::vector<YamlNode> items;     // of a list
  std::vector<YamlEntry> entries;  // of a map, as written: a key may stand there twice
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

}  // namespace turnpike::config
