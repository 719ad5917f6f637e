// Keeps relayed payload within limits.bytes_per_second, of the server, and within those of users and
// allocations. What is beyond them is dropped, as a link that is too narrow would do; nothing waits.
#pragma once

#include <array>
#include <cstddef>

#include "turnpike/base/time.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/byte_budget.hpp"
#include "turnpike/turn/counters.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/settings.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread. Of what the whole server may relay it takes slices of five
// milliseconds, so that workers do not meet at each datagram.
class Shaper {
 public:
  // References outlive this. `server` is shared by all workers; null: no limit holds for the server.
  Shaper(const Settings& settings, ByteBudgets* server, Counters& counters)
      : settings_(settings), server_(server), counters_(counters) {}

  // Whether a datagram with so much payload may be relayed now. One that may not is counted.
  bool admit(Allocation& allocation, Direction direction, std::size_t size, TimePoint now, Output& out) {
    return !settings_.limits.shapes_traffic() || spend(allocation, direction, size, now.steady, out);
  }

 private:
  bool spend(Allocation& allocation, Direction direction, std::size_t size, SteadyTime now, Output& out);
  bool spend_of_server(Direction direction, std::size_t size, SteadyTime now);

  const Settings& settings_;
  ByteBudgets* const server_;
  Counters& counters_;
  std::array<std::size_t, 2> credit_{};  // octets of the last slice that are left, by direction
};

}  // namespace turnpike::turn
