// Names that members give: to rooms, to themselves and to events.
#pragma once

#include <cstddef>
#include <string_view>

#include "turnpike/base/text.hpp"

namespace turnpike::signaling {

inline constexpr std::size_t kMaxName = 64;  // characters

// Well-formed UTF-8 without control characters, and not too long. The empty text is one.
inline bool is_name(std::string_view text) {
  const auto length = count_characters(text);
  return length && *length <= kMaxName;
}

}  // namespace turnpike::signaling
