#include "turnpike/turn/allocation.hpp"

#include <algorithm>

namespace turnpike::turn {

const Relay* Allocation::relay_for(Family family) const {
  const auto found = std::ranges::find(relays, family, &Relay::family);
  return found == relays.end() ? nullptr : &*found;
}

}  // namespace turnpike::turn
