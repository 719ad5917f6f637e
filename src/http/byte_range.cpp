#include "http/byte_range.hpp"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <limits>
#include <optional>

namespace turnpike::http {
namespace {

constexpr std::string_view kUnit = "bytes=";

// Parses a decimal number. A number that is too large for its type becomes the maximum, which is beyond the
// end of every file.
std::optional<std::uint64_t> parse_position(std::string_view digits) {
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::uint64_t position = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position);
  return error == std::errc{} ? position : std::numeric_limits<std::uint64_t>::max();
}

}  // namespace

ByteRange choose_range(std::string_view range, std::uint64_t size) {
  constexpr ByteRange kWhole{};
  constexpr ByteRange kUnsatisfiable{.kind = ByteRange::Kind::unsatisfiable};
  if (range.size() < kUnit.size() || !boost::beast::iequals(range.substr(0, kUnit.size()), kUnit))
    return kWhole;
  range.remove_prefix(kUnit.size());
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return kWhole;
  const std::string_view before = range.substr(0, dash);
  const std::string_view behind = range.substr(dash + 1);
  const std::optional<std::uint64_t> first = parse_position(before);
  const std::optional<std::uint64_t> last = parse_position(behind);

  if (before.empty()) {  // the last `last` octets
    if (!last) return kWhole;
    if (*last == 0) return kUnsatisfiable;
    if (size == 0) return kWhole;
    const std::uint64_t length = std::min(*last, size);
    return {.kind = ByteRange::Kind::part, .start = size - length, .size = length};
  }
  if (!first || (!last && !behind.empty()) || (last && *last < *first)) return kWhole;
  if (*first >= size) return kUnsatisfiable;
  const std::uint64_t end = std::min(last.value_or(size - 1), size - 1);
  return {.kind = ByteRange::Kind::part, .start = *first, .size = end - *first + 1};
}

}  // namespace turnpike::http
