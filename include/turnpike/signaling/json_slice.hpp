// Finds parts of a JSON text without changing them. What members send to each other is passed on character by
// character, since writing the JSON again could change numbers. A parser checks the whole text first; these
// functions then find a part of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::signaling {

// The argument must be a text that a JSON parser has accepted. The results view it, without white space
// around them.

// The value of the member `key`, or of the last member with that name when there are several, as in most
// parsers. Nothing when there is no such member, or when `object` is not an object. `key` must need no
// escapes in JSON. A member whose name is written with escapes is not found.
std::optional<std::string_view> json_member(std::string_view object, std::string_view key);

// A member of an object: its name as it is written between the quotes, with its escapes, and its value.
struct JsonMember {
  std::string_view name;
  std::string_view value;
};
// All of them in their order; none when `object` is none.
std::vector<JsonMember> json_members(std::string_view object);

// The elements of an array; none when `array` is none.
std::vector<std::string_view> json_elements(std::string_view array);
// Joins JSON texts with commas, without brackets: the inverse of json_elements().
std::string json_list(const std::vector<std::string_view>& elements);

}  // namespace turnpike::signaling
