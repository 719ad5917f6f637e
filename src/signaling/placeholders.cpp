#include "turnpike/signaling/placeholders.hpp"

#include <boost/json/value.hpp>
#include <charconv>
#include <optional>
#include <vector>

#include "turnpike/signaling/json_slice.hpp"
#include "turnpike/signaling/json_text.hpp"

namespace turnpike::signaling {
namespace {

struct Placeholder {
  std::string_view text;
  std::size_t number;
};

// A member may be named with escapes, "\u005fplaceholder".
bool is_named(const JsonMember& member, std::string_view name) {
  if (member.name == name) return true;
  if (member.name.find('\\') == std::string_view::npos) return false;
  const auto parsed = parse_json(std::string("\"").append(member.name).append("\""));
  return parsed && *parsed == boost::json::string_view(name.data(), name.size());
}

std::optional<std::size_t> number_of(const std::vector<JsonMember>& members, std::size_t count) {
  std::string_view mark;  // of two members of one name the last counts, as parsers have it
  std::string_view digits;
  for (const JsonMember& member : members) {
    if (is_named(member, "_placeholder")) mark = member.value;
    if (is_named(member, "num")) digits = member.value;
  }
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size();
  if (mark != "true" || !whole || number < 0 || static_cast<std::uint64_t>(number) >= count)
    return std::nullopt;
  return static_cast<std::size_t>(number);
}

// In their order. The parser has seen to it that values are not nested deeply.
void find_all(std::string_view json, std::size_t count, std::vector<Placeholder>& found) {
  for (const std::string_view element : json_elements(json)) find_all(element, count, found);
  const std::vector<JsonMember> members = json_members(json);
  if (const auto number = number_of(members, count)) {
    found.push_back({json, *number});
  } else {
    for (const JsonMember& member : members) find_all(member.value, count, found);
  }
}

}  // namespace

std::string replace_placeholders(std::string_view json, std::size_t count,
                                 const std::function<std::string(std::size_t number)>& by) {
  std::vector<Placeholder> placeholders;
  find_all(json, count, placeholders);
  std::string replaced;
  const char* at = json.data();
  for (const Placeholder& placeholder : placeholders) {
    replaced.append(at, placeholder.text.data()).append(by(placeholder.number));
    at = placeholder.text.data() + placeholder.text.size();
  }
  return replaced.append(at, json.data() + json.size());
}

}  // namespace turnpike::signaling
