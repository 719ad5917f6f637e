#include "config/read.hpp"

#include <algorithm>

namespace turnpike::config {

void read_map(const Value& map, std::initializer_list<MapMember> members) {
  for (const auto& [key, value] : map.entries()) {
    const auto* const member = std::ranges::find(members, key, &MapMember::key);
    if (member != members.end()) {
      member->read(value);
      continue;
    }
    std::vector<std::string> known;
    for (const MapMember& other : members) known.emplace_back(other.key);
    report_unknown(map, key, value, known);
  }
}

bool has_key(const Value& map, std::string_view key) {
  return std::ranges::any_of(map.entries(), [&](const auto& entry) { return entry.first == key; });
}

Value value_or_section(const Value& section, std::string_view key) {
  for (const auto& [name, value] : section.entries()) {
    if (name == key) return value;
  }
  return section;
}

void expected_secret(const Value& value, std::string_view what) {
  value.expected(value.is_map() ? "a secret, or {file: PATH} or {env: NAME}" : what);
}

std::vector<Value> one_or_more(const Value& value) {
  return value.is_list() ? value.items() : std::vector<Value>{value};
}

}  // namespace turnpike::config
