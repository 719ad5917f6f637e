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

bool Warnings::take_due(turn::LimitKey key, SteadyTime now) {
  std::atomic<Duration::rep>& next = next_[static_cast<std::size_t>(key)];
  const Duration::rep time = now.time_since_epoch().count();
  Duration::rep due = next.load(std::memory_order_relaxed);
  if (due != 0 && time < due) return false;
  return next.compare_exchange_strong(due, (now + kInterval).time_since_epoch().count(),
                                      std::memory_order_relaxed);
}

void Warnings::warn_about_limits(std::uint32_t met, SteadyTime now) {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const auto key = static_cast<turn::LimitKey>(i);
    if ((met >> i & 1) == 0 || !take_due(key, now)) continue;
    if (key >= turn::LimitKey::bytes_per_second) {
      warn(key, "data_dropped", "data was dropped");
    } else {
      warn(key, "client_refused", "a client was refused");
    }
  }
}

void Warnings::warn_about_slowing(std::uint32_t met, SteadyTime now) {
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const auto key = static_cast<turn::LimitKey>(i);
    if ((met >> i & 1) == 0 || !take_due(key, now)) continue;
    warn(key, "data_slowed", "a data connection was slowed down");
  }
}

void Warnings::warn(turn::LimitKey key, std::string_view event, std::string_view what) const {
  const auto number = static_cast<std::size_t>(key);
  const std::uint32_t limit = values_[number].load(std::memory_order_relaxed);
  LogEvent(event, fmt::format("{} because of {}, which is {}", what, turn::kLimitKeys[number], limit))
      .field("reason", turn::kLimitKeys[number])
      .field("limit", limit)
      .write(spdlog::level::warn);
}

void Warnings::warn_about_memory() {
  if (said_out_of_memory_.exchange(true, std::memory_order_relaxed)) return;
  spdlog::error("out of memory: new requests are refused, and existing allocations go on");
}

}  // namespace turnpike::relay
