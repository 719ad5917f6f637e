// Decides when the allocations of one worker end and when they go on (RFC 8656 §8): by Refresh, by the
// Refresh with a ticket that moves an allocation (RFC 8016), and by expiry. All look-ups of a client's
// allocation go through this class, since a look-up may find that the allocation has expired or has just
// moved.
#pragma once

#include <chrono>
#include <cstddef>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/allocations.hpp"
#include "turnpike/turn/moves.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/responder.hpp"
#include "turnpike/turn/settings.hpp"
#include "turnpike/turn/tcp_connections.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class Lifetimes {
 public:
  // References outlive this.
  Lifetimes(const Settings& settings, Allocations& allocations, Moves& moves, TcpConnections& tcp_connections,
            Responder& responder, Counters& counters, Breakdown& breakdown)
      : settings_(settings),
        allocations_(allocations),
        moves_(moves),
        tcp_connections_(tcp_connections),
        responder_(responder),
        counters_(counters),
        breakdown_(breakdown) {}

  // --- Requests
  void on_refresh(Request& request, Output& out);
  // A Refresh with MOBILITY-TICKET from a 5-tuple without an allocation (RFC 8016 §3.2).
  void on_move(Request& request, Output& out);

  // The latest time at which the allocation may end by these settings, however often it is refreshed.
  static SteadyTime latest_end_of(const Allocation& allocation, const Settings& settings, TimePoint now);

  // The lifetime that the answer to this Allocate or Refresh request grants.
  static std::chrono::seconds granted(const Request& request, const Allocation& allocation,
                                      const Limits& limits);

  // --- Look-ups of allocations
  // Whether the 5-tuple has an allocation here, or an allocation is about to move to it.
  bool knows(const FiveTuple& tuple) const {
    return allocations_.contains(tuple) || moves_.find_arriving(tuple) != nullptr;
  }
  // The allocation of this 5-tuple, or null. An expired allocation is removed.
  Allocation* find_current(const FiveTuple& tuple, TimePoint now, Output& out);
  // The same for data that came by this 5-tuple. If an allocation is about to move to the 5-tuple, the data
  // prove that its client has arrived, and the move is completed.
  Allocation* find_or_complete_move(const FiveTuple& tuple, TimePoint now, Output& out);

  // --- Ends
  void remove(Allocation& allocation, EndReason reason, TimePoint now, Output& out);
  // Removes an allocation that no client knows. Nothing about it is reported in the output.
  void erase(Allocation& allocation, Output& out);
  // Applies changed settings: allocations that must have ended by now end, and the others get their new
  // latest end.
  void follow_settings(TimePoint now);
  // Closing a socket takes as long as this many steps.
  static constexpr std::size_t kStepsToClose = 32;
  // Removes expired entries in about `most` steps of half a microsecond. Returns the number of steps.
  std::size_t expire(TimePoint now, std::size_t most, Output& out);

 private:
  std::optional<stun::ErrorCode> check_ticket(const Request& request, const Ticket& ticket) const;
  bool reject_old_token(Request& request, Output& out);
  EndReason why_expired(const Allocation& allocation, TimePoint now) const;
  void close_relay(Allocation& allocation, Family family, Output& out);

  const Settings& settings_;
  Allocations& allocations_;
  Moves& moves_;
  TcpConnections& tcp_connections_;
  Responder& responder_;
  Counters& counters_;
  Breakdown& breakdown_;
};

}  // namespace turnpike::turn
