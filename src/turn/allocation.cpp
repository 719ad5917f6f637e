#include "turnpike/turn/allocation.hpp"

#include <algorithm>

namespace turnpike::turn {

const Relay* Allocation::relay_for(Family family) const {
  const auto found = std::ranges::find(relays, family, &Relay::family);
  return found == relays.end() ? nullptr : &*found;
}

const std::shared_ptr<ByteBudgets>& Allocation::share_budgets() {
  if (!budgets) budgets = std::make_shared<ByteBudgets>();
  return budgets;
}

}  // namespace turnpike::turn
