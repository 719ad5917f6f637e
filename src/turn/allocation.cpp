#include "turnpike/turn/allocation.hpp"

#include <algorithm>

namespace turnpike::turn {

const Relay* Allocation::relay_for(Family family) const {
  const auto found = std::ranges::find(relays, family, &Relay::family);
  return found == relays.end() ? nullptr : &*found;
}

const std::shared_ptr<AllocationBudgets>& Allocation::share_budgets() {
  if (!budgets) budgets = std::make_shared<AllocationBudgets>();
  return budgets;
}

std::uint64_t Allocation::bytes(Direction direction) const {
  const std::uint64_t in_datagrams = direction == Direction::from_client ? rx_bytes : tx_bytes;
  return in_datagrams + (budgets ? budgets->streamed(direction) : 0);
}

}  // namespace turnpike::turn
