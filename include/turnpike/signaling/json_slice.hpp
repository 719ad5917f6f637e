// Parts of a JSON text as they stand in it. What members tell each other is passed on letter by letter, since
// writing it anew would change numbers; so a parser judges a text as a whole, and these then find a part of
// it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::signaling {

// All take what a JSON parser has accepted; the slices view it and carry no white space around them.

// The value of a member of an object: of its last one of that name, as parsers have it. Nothing when there is
// none, or when `object` is none. `key` must need no escape in JSON; nor is one found that was written with
// escapes.
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
// The reverse without the brackets: JSON texts with commas between them.
std::string json_list(const std::vector<std::string_view>& elements);

}  // namespace turnpike::signaling
