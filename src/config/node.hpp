// A YAML document as a tree of plain values, each with its place in the text. The root owns the whole tree.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace turnpike::config {

struct YamlEntry;

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, list, map };

  Kind kind = Kind::null;
  std::string where;               // see Error::where
  std::string text;                // the value of a scalar
  bool quoted = false;             // "5" in quotes is a text, 5 is a number
  bool reported = false;           // an error says that it cannot be read, so that readers report nothing
  std::vector<YamlNode> items;     // of a list
  std::vector<YamlEntry> entries;  // of a map, in the order of the text; a key may occur twice
};

struct YamlEntry {
  YamlNode key;
  YamlNode value;
};

}  // namespace turnpike::config
