#include "daemon/refusal_log.hpp"

#include "relay/log_event.hpp"
#include "turnpike/base/shown_address.hpp"

namespace turnpike::daemon {

std::optional<std::string> RefusalLog::line(const http::Refused& refused, SteadyTime now) {
  const auto [it, is_new] = kinds_.try_emplace({refused.what, refused.key});
  Kind& kind = it->second;
  ++kind.all;
  if (!is_new && now < kind.next_line) {
    ++kind.unwritten;
    return std::nullopt;
  }
  kind.next_line = now + kInterval;
  std::string line(who_);
  line.append(" refused ").append(refused.what);
  if (!refused.detail.empty()) {
    const std::string_view detail = refused.detail;
    line.append(" ").append(relay::quoted(detail.substr(0, kMaxDetail)));
    if (detail.size() > kMaxDetail) line.append("...");
  }
  line.append(" from ").append(shown_address(refused.client));
  if (!refused.key.empty()) line.append(" (").append(refused.key).append(")");
  if (kind.unwritten != 0)
    line.append("; ").append(std::to_string(kind.unwritten)).append(" more since the last line");
  kind.unwritten = 0;
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
