// Which allocations of one worker may move to another 5-tuple, and which are about to (RFC 8016).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>
#include <optional>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/allocations.hpp"
#include "turnpike/turn/mobility.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::turn {

struct Request;

// Belongs to one worker and its thread.
class Moves {
 public:
  // References outlive this.
  Moves(const MobilityParams& params, Allocations& allocations, crypto::Random& random, const HashKey& key)
      : params_(params), allocations_(allocations), random_(random), by_destination_(0, KeyedHash(key)) {}

  const MobilityParams& params() const { return params_; }
  // Whether no allocation is about to move.
  bool empty() const { return by_destination_.empty(); }
  // The allocation that is about to move to this 5-tuple; null when there is none.
  Allocation* find_arriving(const FiveTuple& tuple) const {
    const auto found = by_destination_.find(tuple);
    return found == by_destination_.end() ? nullptr : found->second;
  }
  // The allocation that a ticket is for; null when there is none.
  Allocation* find(const Ticket& ticket) const;

  // Whether this sender may move that allocation.
  static bool may_move(const auth::Identity& sender, const Allocation& allocation);

  // From now on the allocation can move. Its answer carries the ticket.
  void give_ticket(Allocation& allocation);
  // The client has asked with a Refresh to move the allocation to the 5-tuple of that request.
  void begin(Allocation& allocation, const Request& request, Output& out);
  // The client will not come, or not here: the allocation stays where it is.
  void cancel(Allocation& allocation, Output& out);
  // A client was heard on this 5-tuple. If an allocation is about to move there, it has moved now, and is
  // returned. `sender` is null for data, which nobody has signed.
  Allocation* settle(const FiveTuple& tuple, const auth::Identity* sender, TimePoint now, Output& out);
  // The allocation ends, and its ticket and its move with it.
  void forget(Allocation& allocation, Output& out);

 private:
  std::optional<FiveTuple> undo(Allocation& allocation);

  const MobilityParams params_;
  Allocations& allocations_;
  crypto::Random& random_;
  std::map<Ticket, Allocation*> by_ticket_;  // ordered, since strangers may ask for any ticket
  boost::unordered_flat_map<FiveTuple, Allocation*, KeyedHash> by_destination_;  // moves that are not settled
};

}  // namespace turnpike::turn
