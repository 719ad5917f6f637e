#include "turnpike/signaling/json_text.hpp"

#include <boost/json/parse.hpp>
#include <charconv>
#include <string>

namespace turnpike::signaling {
namespace {

namespace json = boost::json;

constexpr std::size_t kEscapeLength = 6;  // of \uXXXX
constexpr std::string_view kReplacement = "\\ufffd";

// Returns the code unit that \uXXXX at the front of `text` means, or 0 when there is none.
unsigned code_unit(std::string_view text) {
  if (text.size() < kEscapeLength || !text.starts_with("\\u")) return 0;
  unsigned unit = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + kEscapeLength, unit, 16);
  return error == std::errc{} && end == text.data() + kEscapeLength ? unit : 0;
}

bool is_high_surrogate(unsigned unit) { return unit >= 0xd800 && unit <= 0xdbff; }
bool is_low_surrogate(unsigned unit) { return unit >= 0xdc00 && unit <= 0xdfff; }

// Replaces each half of a surrogate pair that stands alone by U+FFFD. Backslashes occur only inside strings,
// so this need not find the strings first.
std::string with_whole_pairs(std::string_view text) {
  std::string whole(text);
  std::size_t at = 0;
  while ((at = text.find('\\', at)) != std::string_view::npos) {
    const unsigned unit = code_unit(text.substr(at));
    if (unit == 0) {
      at += 2;  // \" or \\ and the like
      continue;
    }
    const bool paired =
        is_high_surrogate(unit) && is_low_surrogate(code_unit(text.substr(at + kEscapeLength)));
    if (!paired && (is_high_surrogate(unit) || is_low_surrogate(unit))) {
      whole.replace(at, kEscapeLength, kReplacement);
    }
    at += paired ? 2 * kEscapeLength : kEscapeLength;
  }
  return whole;
}

}  // namespace

std::optional<json::value> parse_json(std::string_view text, std::size_t most_nested) {
  json::parse_options options;
  options.max_depth = most_nested;
  const bool has_surrogates =
      text.find("\\ud") != std::string_view::npos || text.find("\\uD") != std::string_view::npos;
  boost::system::error_code error;
  json::value value = has_surrogates
                          ? json::parse(with_whole_pairs(text), error, {}, options)
                          : json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return std::nullopt;
  return value;
}

}  // namespace turnpike::signaling
