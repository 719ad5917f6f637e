// Names that members give: to rooms, to themselves and to events.
#pragma once

#include <cstddef>
#include <string_view>

#include "turnpike/base/text.hpp"

namespace turnpike::signaling {

inline constexpr std::size_t kMaxName = 64;  // characters

// Whether a text is well-formed UTF-8 without control characters and has at most kMaxName characters. It may
// be empty. Names that come from other nodes of a cluster have to pass only this check, since nodes of an
// earlier version know no other rule.
inline bool is_name_of_earlier_versions(std::string_view text) {
  const auto length = count_characters(text);
  return length && *length <= kMaxName;
}

// Whether a text is a name: it passes the check above and has no characters that reorder the text around it,
// so that nobody shows "moc.elpmaxe" as "example.com" or turns what a page writes behind the name. It is
// refused, not changed: a client knows itself and its room by the name that it gave.
inline bool is_name(std::string_view text) {
  return is_name_of_earlier_versions(text) && !sets_direction(text);
}

}  // namespace turnpike::signaling
