// Keeps relayed payload within the limits on bytes per second: of the server, of each user and of each
// allocation. Datagrams beyond a limit are dropped, as on a narrow link; nothing is queued.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "turnpike/base/time.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/byte_budget.hpp"
#include "turnpike/turn/counters.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/settings.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread. It takes from the server's shared budget in slices of five
// milliseconds, so that workers do not contend for it at every datagram.
class Shaper {
 public:
  // All references must outlive this object. All workers share `server`; null means that the server has no
  // limit.
  Shaper(const Settings& settings, ByteBudgets* server, Counters& counters)
      : settings_(settings), server_(server), counters_(counters) {}

  // Whether a datagram with `size` octets of payload may be relayed now. A refused one is counted.
  bool admit(Allocation& allocation, Direction direction, std::size_t size, TimePoint now, Output& out) {
    return !settings_.limits.shapes_traffic() || spend(allocation, direction, size, now.steady, out);
  }

 private:
  bool spend(Allocation& allocation, Direction direction, std::size_t size, SteadyTime now, Output& out);
  bool spend_of_server(Direction direction, std::size_t size, SteadyTime now);

  const Settings& settings_;
  ByteBudgets* const server_;
  Counters& counters_;
  std::array<std::size_t, 2> credit_{};  // octets left of the last slice, by direction
  std::uint32_t credit_rate_ = 0;        // the limit that the slice was a part of
};

}  // namespace turnpike::turn
