// When allocations of one worker end, and when they go on (RFC 8656 §8): Refresh, the Refresh with a ticket
// that moves one (RFC 8016), and expiry. Whoever looks for an allocation of a client asks here, since the
// question may show that it has expired or has just moved.
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
  // A Refresh with MOBILITY-TICKET that came by a 5-tuple without an allocation (RFC 8016 §3.2).
  void on_move(Request& request, Output& out);

  // The latest end that the settings leave to an allocation, whatever is refreshed.
  static SteadyTime latest_end_of(const Allocation& allocation, const Settings& settings, TimePoint now);

  // How long the allocation that a request makes or refreshes will live.
  static std::chrono::seconds granted(const Request& request, const Allocation& allocation,
                                      const Limits& limits);

  // --- Who has an allocation here
  // The allocation of this 5-tuple, or null. One that has expired is removed.
  Allocation* find_current(const FiveTuple& tuple, TimePoint now, Output& out);
  // Likewise for data that came by this 5-tuple: it shows that a client has arrived there which was about to
  // move.
  Allocation* find_or_settle(const FiveTuple& tuple, TimePoint now, Output& out);

  // --- Ends
  void remove(Allocation& allocation, EndReason reason, TimePoint now, Output& out);
  // The same for one that nobody has heard of: it leaves no trace in the output.
  void erase(Allocation& allocation, Output& out);
  // After a change of the settings: ends what must have ended by then, and makes the others end in time.
  void follow_settings(TimePoint now);
  // Removes what has expired, in about `most` steps of half a microsecond. How many steps it took.
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
