// Scalars and words: what a text means, how it may be shown, and which known word it was probably meant to
// be.
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

// For error texts: one line, escaped where it is not plain text, shortened where it is long.
std::string shown(std::string_view text);

// Decimal digits alone: no sign, no leading zero.
std::optional<std::uint32_t> parse_number(std::string_view text);

// A number and its unit: "500ms", "600s", "10m", "1h".
std::optional<Duration> parse_duration(std::string_view text);

// A number of bytes, or of KiB or MiB: "65536", "64KiB", "1MiB".
std::optional<std::uint32_t> parse_size(std::string_view text);

// Fills `out` exactly; false when `text` has another length or anything but hex digits.
bool parse_hex(std::string_view text, MutableBytes out);

// The candidate that `word` is a likely misspelling of.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

// "a, b, c"
std::string listed(const std::vector<std::string>& words);

}  // namespace turnpike::config
