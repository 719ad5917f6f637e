#include "turnpike/signaling/json_slice.hpp"

#include <algorithm>

namespace turnpike::signaling {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kWhiteSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kWhiteSpace) + 1);
}

// Returns the end of the string that starts at `at`: the position after its closing quote.
std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

// Returns the end of the value that starts at or after `at`: the position of the comma or bracket that
// follows.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (depth == 0 && (c == ',' || c == ']' || c == '}')) return at;
    if (c == '"') {
      at = end_of_string(text, at);
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    ++at;
  }
  return text.size();
}

}  // namespace

std::vector<JsonMember> json_members(std::string_view object) {
  std::vector<JsonMember> members;
  object = trimmed(object);
  if (!object.starts_with('{')) return members;
  std::size_t at = object.find_first_not_of(kWhiteSpace, 1);
  while (at < object.size() && object[at] == '"') {
    const std::size_t name_end = end_of_string(object, at);
    const std::string_view name = object.substr(at + 1, name_end - at - 2);
    const std::size_t colon = std::min(object.find(':', name_end), object.size() - 1);
    const std::size_t end = end_of_value(object, colon + 1);
    members.push_back({name, trimmed(object.substr(colon + 1, end - colon - 1))});
    at = object.find_first_not_of(kWhiteSpace, std::min(end + 1, object.size()));
  }
  return members;
}

std::optional<std::string_view> json_member(std::string_view object, std::string_view key) {
  const std::vector<JsonMember> members = json_members(object);
  const auto last = std::find_if(members.rbegin(), members.rend(),
                                 [&](const JsonMember& member) { return member.name == key; });
  if (last == members.rend()) return std::nullopt;
  return last->value;
}

std::vector<std::string_view> json_elements(std::string_view array) {
  std::vector<std::string_view> elements;
  array = trimmed(array);
  if (!array.starts_with('[') || !array.ends_with(']')) return elements;
  array = trimmed(array.substr(1, array.size() - 2));
  for (std::size_t at = 0; at < array.size();) {
    const std::size_t end = end_of_value(array, at);
    elements.push_back(trimmed(array.substr(at, end - at)));
    at = end + 1;
  }
  return elements;
}

std::string json_list(const std::vector<std::string_view>& elements) {
  std::string list;
  for (const std::string_view element : elements) list.append(list.empty() ? "" : ",").append(element);
  return list;
}

}  // namespace turnpike::signaling
