// Parses the JSON of clients. JavaScript can cut a text in the middle of a character beyond U+FFFF, which
// leaves half of a surrogate pair, "\ud83d", in the JSON. RFC 8259 §8.2 allows that; Boost.JSON does not.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>
#include <string_view>

namespace turnpike::signaling {

// Parses a JSON text. Each half of a surrogate pair becomes U+FFFD. Nothing when the text is not JSON, is
// nested deeper than `most_nested` levels, or is not well-formed UTF-8.
std::optional<boost::json::value> parse_json(std::string_view text, std::size_t most_nested = 32);

}  // namespace turnpike::signaling
