// Parses words and scalars, writes them for error messages, and finds the known word for a misspelled one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/text.hpp"
#include "turnpike/base/time.hpp"

namespace turnpike::config {

// Writes a text for an error message: printable, so on one line, and shortened if it is long.
std::string shown(std::string_view text);

// Parses a number of decimal digits, without a sign and without leading zeros.
std::optional<std::uint32_t> parse_number(std::string_view text);

// Parses a number with a unit: "500ms", "600s", "10m", "1h".
std::optional<Duration> parse_duration(std::string_view text);

// Parses a number of bytes, KiB or MiB: "65536", "64KiB", "1MiB".
std::optional<std::uint32_t> parse_size(std::string_view text);

// The candidate that is most similar to the misspelled `word`; nothing when none is similar.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

// Writes "a, b, c".
std::string listed(const std::vector<std::string>& words);
// Writes "a or b", and of more "one of a, b, c".
std::string alternatives(const std::vector<std::string>& words);

}  // namespace turnpike::config
