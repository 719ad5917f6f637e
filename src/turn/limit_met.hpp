// A client that is refused something because of a limit.
#pragma once

#include "turnpike/turn/counters.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::turn {

// Counts the refusal, and has the log name the limit.
inline void refuse_for(LimitKey limit, Counters& counters, Output& out) {
  out.report_limit(limit);
  switch (limit) {
    case LimitKey::allocations: ++counters.over_allocations; break;
    case LimitKey::allocations_per_user: ++counters.over_allocations_of_user; break;
    case LimitKey::allocations_per_address: ++counters.over_allocations_of_address; break;
    case LimitKey::permissions_per_allocation: ++counters.over_permissions; break;
    case LimitKey::channels_per_allocation: ++counters.over_channels; break;
    case LimitKey::peer_connections: ++counters.over_connections; break;
    case LimitKey::peer_connections_per_user: ++counters.over_connections_of_user; break;
    // What is relayed is dropped; see Shaper.
    case LimitKey::bytes_per_second:
    case LimitKey::bytes_per_second_per_user:
    case LimitKey::bytes_per_second_per_allocation: break;
  }
}

}  // namespace turnpike::turn
