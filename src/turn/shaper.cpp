#include "turnpike/turn/shaper.hpp"

#include <algorithm>

namespace turnpike::turn {
namespace {

constexpr std::uint32_t kSlicesPerSecond = 200;

}  // namespace

bool Shaper::spend(Allocation& allocation, Direction direction, std::size_t size, SteadyTime now,
                   Output& out) {
  const Limits& limits = settings_.limits;
  const auto drop = [&](LimitKey limit, Counter& counter) {
    ++counter;
    ++allocation.dropped_packets;
    out.report_limit(limit);
    return false;
  };
  const std::uint32_t own_limit = limits.bytes_per_second_per_allocation;
  ByteBudget* const own = own_limit == 0 ? nullptr : &allocation.share_budgets()->of(direction);
  if (own && !own->take(size, own_limit, now))
    return drop(LimitKey::bytes_per_second_per_allocation, counters_.over_allocation_rate);
  UserBudgets& budgets = allocation.quota.budgets();
  const std::uint32_t user_limit = budgets.limit_here(direction, limits.bytes_per_second_per_user);
  if (user_limit != 0) budgets.count(direction, size);
  ByteBudget& of_user = budgets.of(direction);
  if (!of_user.take(size, user_limit, now)) {
    if (own) own->refund(size, own_limit);
    return drop(LimitKey::bytes_per_second_per_user, counters_.over_user_rate);
  }
  if (!spend_of_server(direction, size, now)) {
    if (own) own->refund(size, own_limit);
    of_user.refund(size, user_limit);
    return drop(LimitKey::bytes_per_second, counters_.over_server_rate);
  }
  return true;
}

bool Shaper::spend_of_server(Direction direction, std::size_t size, SteadyTime now) {
  const std::uint32_t per_second = settings_.limits.bytes_per_second;
  if (per_second == 0 || !server_) return true;
  if (credit_rate_ != per_second) credit_ = {};
  credit_rate_ = per_second;
  std::size_t& credit = credit_[static_cast<std::size_t>(direction)];
  if (credit < size) {
    const std::size_t slice = std::max<std::size_t>(size - credit, per_second / kSlicesPerSecond);
    if (!server_->of(direction).take(slice, per_second, now)) return false;
    credit += slice;
  }
  credit -= size;
  return true;
}

}  // namespace turnpike::turn
