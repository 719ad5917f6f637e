#include "relay/warnings.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "relay/log_event.hpp"

namespace turnpike::relay {

void Warnings::set_limits(const turn::Limits& limits) {
  const std::array<std::uint32_t, turn::kLimitKeys.size()> values{limits.allocations,
                                                                  limits.allocations_per_user,
                                                                  limits.allocations_per_address,
                                                                  limits.permissions_per_allocation,
                                                                  limits.channels_per_allocation,
                                                                  limits.peer_connections,
                                                                  limits.peer_connections_per_user,
                                                                  limits.bytes_per_second,
                                                                  limits.bytes_per_second_per_user,
                                                                  limits.bytes_per_second_per_allocation};
  std::ranges::copy(values, values_.begin());
}

bool Warnings::is_due(turn::LimitKey key, SteadyTime now) {
  std::atomic<Duration::rep>& next = next_[static_cast<std::size_t>(key)];
  const Duration::rep time = now.time_since_epoch().count();
  Duration::rep due = next.load(std::memory_order_relaxed);
  if (due != 0 && time < due) return false;
  return next.compare_exchange_strong(due, (now + kInterval).time_since_epoch().count(),
                                      std::memory_order_relaxed);
}

void Warnings::limits(std::uint32_t met, SteadyTime now) {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if ((met >> i & 1) == 0 || !is_due(static_cast<turn::LimitKey>(i), now)) continue;
    const bool drops = turn::LimitKey(i) >= turn::LimitKey::bytes_per_second;
    const std::uint32_t limit = values_[i].load(std::memory_order_relaxed);
    LogEvent(drops ? "data_dropped" : "client_refused",
             fmt::format("{} because of {}, which is {}", drops ? "data was dropped" : "a client was refused",
                         turn::kLimitKeys[i], limit))
        .field("reason", turn::kLimitKeys[i])
        .field("limit", limit)
        .write(spdlog::level::warn);
  }
}

void Warnings::out_of_memory() {
  if (said_out_of_memory_.exchange(true, std::memory_order_relaxed)) return;
  spdlog::error("out of memory: whoever asks for more is refused, the others are served");
}

}  // namespace turnpike::relay
