#include "daemon/refusal_log.hpp"

#include <utility>

#include "turnpike/base/shown_address.hpp"

namespace turnpike::daemon {

std::optional<relay::LogEvent> RefusalLog::line(const http::Refused& refused, SteadyTime now) {
  const auto [it, is_new] = kinds_.try_emplace({refused.what, refused.key});
  Kind& kind = it->second;
  ++kind.all;
  if (!is_new && now < kind.next_line) {
    ++kind.unwritten;
    return std::nullopt;
  }
  kind.next_line = now + kInterval;
  std::string words(who_);
  words.append(" refused ").append(refused.what);
  if (!refused.detail.empty()) {
    const std::string_view detail = refused.detail;
    words.append(" ").append(relay::quoted(detail.substr(0, kMaxDetail)));
    if (detail.size() > kMaxDetail) words.append("...");
  }
  words.append(" from ").append(shown_address(refused.client));
  if (!refused.key.empty()) words.append(" (").append(refused.key).append(")");
  const std::uint64_t others = std::exchange(kind.unwritten, 0);
  if (others != 0) words.append("; ").append(std::to_string(others)).append(" more since the last line");
  relay::LogEvent line(std::string(who_) + "_refused", words);
  line.field("reason", refused.what).field("client", shown_address(refused.client));
  if (!refused.key.empty()) line.field("key", refused.key);
  if (others != 0) line.field("count", others + 1);
  return line;
}

std::string RefusalLog::totals() const {
  std::map<std::string_view, std::uint64_t> by_what;
  for (const auto& [names, kind] : kinds_) by_what[names.first] += kind.all;
  std::string all;
  for (const auto& [what, count] : by_what) {
    all.append(all.empty() ? "" : " ").append(what).append("=").append(std::to_string(count));
  }
  return all;
}

}  // namespace turnpike::daemon
