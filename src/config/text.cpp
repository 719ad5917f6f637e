#include "config/text.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <system_error>

#include "turnpike/base/printable.hpp"

namespace turnpike::config {
namespace {

constexpr std::size_t kMaxShownText = 64;  // characters, or octets that are not part of a character

// Returns how many letters to insert, remove or replace, or neighbours to exchange, to change one word into
// the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);  // the row above
  std::vector<std::size_t> before(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = last[j] + (a[i] == b[j] ? 0 : 1);
      row[j + 1] = std::min({replaced, last[j + 1] + 1, row[j] + 1});
      const bool is_exchange = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
      if (is_exchange) row[j + 1] = std::min(row[j + 1], before[j - 1] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last.back();
}

}  // namespace

std::string shown(std::string_view text) {
  std::string out;
  for (std::size_t taken = 0; !text.empty() && taken < kMaxShownText; ++taken) out += take_printable(text);
  return out + (text.empty() ? "" : "...");
}

std::optional<std::uint32_t> parse_number(std::string_view text) {
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [parsed_to, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || parsed_to != end) return std::nullopt;
  return number;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const std::size_t unit_at = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<std::uint32_t> number = parse_number(text.substr(0, unit_at));
  const std::string_view unit = text.substr(unit_at);
  if (!number) return std::nullopt;
  if (unit == "ms") return std::chrono::milliseconds(*number);
  if (unit == "s") return std::chrono::seconds(*number);
  if (unit == "m") return std::chrono::minutes(*number);
  if (unit == "h") return std::chrono::hours(*number);
  return std::nullopt;
}

std::optional<std::uint32_t> parse_size(std::string_view text) {
  const std::size_t unit_at = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::optional<std::uint32_t> number = parse_number(text.substr(0, unit_at));
  const std::string_view unit = text.substr(unit_at);
  if (!number) return std::nullopt;
  const unsigned shift = unit == "KiB" ? 10 : unit == "MiB" ? 20 : 0;
  if (shift == 0 && !unit.empty()) return std::nullopt;
  const std::uint64_t size = std::uint64_t{*number} << shift;
  return size <= UINT32_MAX ? std::optional(static_cast<std::uint32_t>(size)) : std::nullopt;
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = (word.size() + 2) / 3;  // with more changes it is another word
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance || (!best && distance == best_distance)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    out += (out.empty() ? "" : ", ") + word;
  }
  return out;
}

std::string alternatives(const std::vector<std::string>& words) {
  return words.size() == 2 ? words[0] + " or " + words[1] : "one of " + listed(words);
}

}  // namespace turnpike::config
