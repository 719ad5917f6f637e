// JSON as strangers write it. A JavaScript text may be cut in the middle of a character beyond U+FFFF, which
// leaves half of a surrogate pair, "\ud83d", in the JSON. RFC 8259 §8.2 allows that; Boost.JSON does not.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>
#include <string_view>

namespace turnpike::signaling {

// The value of a JSON text, in which each such half reads as U+FFFD. Nothing for what is no JSON, is nested
// deeper than `most_nested` or is no well-formed UTF-8.
std::optional<boost::json::value> parse_json(std::string_view text, std::size_t most_nested = 32);

}  // namespace turnpike::signaling
