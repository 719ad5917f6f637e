#include "turnpike/signaling/placeholders.hpp"

#include <algorithm>
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

// The name of a member may contain escapes, as in "\u005fplaceholder".
bool is_named(const JsonMember& member, std::string_view name) {
  if (member.name == name) return true;
  if (member.name.find('\\') == std::string_view::npos) return false;
  const auto parsed = parse_json(std::string("\"").append(member.name).append("\""));
  return parsed && *parsed == boost::json::string_view(name.data(), name.size());
}

// Returns the value of a member, or an empty text when there is none. Of two members with one name the last
// one counts, as in parsers.
std::string_view value_of(const std::vector<JsonMember>& members, std::string_view name) {
  std::string_view value;
  for (const JsonMember& member : members) {
    if (is_named(member, name)) value = member.value;
  }
  return value;
}

bool is_marked(const std::vector<JsonMember>& members) { return value_of(members, "_placeholder") == "true"; }

std::optional<std::size_t> number_of(const std::vector<JsonMember>& members, std::size_t count) {
  const std::string_view digits = value_of(members, "num");
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size();
  if (!is_marked(members) || !whole || number < 0 || static_cast<std::uint64_t>(number) >= count)
    return std::nullopt;
  return static_cast<std::size_t>(number);
}

// Finds placeholders in their order. The recursion is not deep, since the parser has refused deeply nested
// values.
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

bool has_placeholder(std::string_view json) {
  // Most texts have no placeholder, and need not be parsed. A name may contain escapes.
  const auto has = [&](std::string_view text) { return json.find(text) != std::string_view::npos; };
  if (!has("_placeholder") && !has("\\u")) return false;
  const std::vector<std::string_view> elements = json_elements(json);
  const std::vector<JsonMember> members = json_members(json);
  return is_marked(members) || std::ranges::any_of(elements, has_placeholder) ||
         std::ranges::any_of(members, [](const JsonMember& member) { return has_placeholder(member.value); });
}

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
