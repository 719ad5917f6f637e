#include "http/conditional.hpp"

#include "http/date.hpp"

namespace turnpike::http {
namespace {

constexpr std::string_view kWeak = "W/";

// Returns whether the list names the tag, by weak or by strong comparison (RFC 9110 §8.8.3.2). Our tags
// contain no quotes, so a simple search finds only whole members of the list.
bool names(std::string_view list, std::string_view etag, bool strongly) {
  if (list == "*") return true;
  for (std::size_t at = list.find(etag); at != list.npos; at = list.find(etag, at + 1)) {
    if (!strongly || !list.substr(0, at).ends_with(kWeak)) return true;
  }
  return false;
}

// Returns whether the representation has changed since the date in the header, or nothing when there is no
// such date.
std::optional<bool> has_changed_since(std::string_view date, const Version& current) {
  const std::optional<std::time_t> since = parse_http_date(date);
  if (!since || !current.modified) return std::nullopt;
  return *current.modified > *since;
}

}  // namespace

std::string quoted_etag(const std::string& tag) { return '"' + tag + '"'; }

Condition evaluate_conditions(const Request& request, const Version& current) {
  if (const std::string wanted = request.header_list("if-match"); !wanted.empty()) {
    if (!names(wanted, current.etag, true)) return Condition::failed;
  } else if (has_changed_since(request.header("if-unmodified-since"), current).value_or(false)) {
    return Condition::failed;
  }
  if (const std::string known = request.header_list("if-none-match"); !known.empty())
    return names(known, current.etag, false) ? Condition::unchanged : Condition::holds;
  const bool has_changed = has_changed_since(request.header("if-modified-since"), current).value_or(true);
  return has_changed ? Condition::holds : Condition::unchanged;
}

bool is_same_for_range(const Request& request, const Version& current) {
  const std::string_view known = request.header("if-range");
  return known.empty() || known == current.etag ||
         (current.modified && known == http_date(*current.modified));
}

}  // namespace turnpike::http
