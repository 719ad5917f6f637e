// What the readers of lists, maps and words have in common.
#pragma once

#include <array>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/text.hpp"
#include "config/value.hpp"

namespace turnpike::config {

// A key that a map may have, and the reader of its value.
struct MapMember {
  std::string_view key;
  std::function<void(const Value&)> read;
};

// Reads the entries of a map, in the order of the file. Reports keys that are not among `members`.
void read_map(const Value& map, std::initializer_list<MapMember> members);

// Whether a map has this key.
bool has_key(const Value& map, std::string_view key);

// The value of this key of a section, for an error about the key. The section where the key is not written.
Value value_or_section(const Value& section, std::string_view key);

// Reports what is no secret. A map can only be meant as the place of one.
void expected_secret(const Value& value, std::string_view what);

// The items of a list; a value that is not a list is the only item.
std::vector<Value> one_or_more(const Value& value);

// Calls `read_item` for each item of a list. Reports a value that is not a list: `expected` says of what.
template <class ReadItem>
void read_list(const Value& value, std::string_view expected, ReadItem read_item) {
  if (!value.is_list()) return value.expected(expected);
  for (const Value& item : value.items()) read_item(item);
}

// Stores the meaning of a word. Reports any other word, with the list of those that are known.
template <class Meaning, std::size_t Count, class Out>
void read_choice(const Value& value, const std::array<std::pair<std::string_view, Meaning>, Count>& choices,
                 Out& out) {
  std::vector<std::string> words;
  for (const auto& [word, meaning] : choices) {
    if (value.is_scalar() && value.text() == word) {
      out = meaning;
      return;
    }
    words.emplace_back(word);
  }
  value.expected(alternatives(words));
}

}  // namespace turnpike::config
