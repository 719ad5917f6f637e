// Keeps the tickets of one worker's allocations, and the moves to another 5-tuple that have begun and are not
// yet completed (RFC 8016).
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <map>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/allocations.hpp"
#include "turnpike/turn/counters.hpp"
#include "turnpike/turn/mobility.hpp"
#include "turnpike/turn/output.hpp"

namespace turnpike::turn {

struct Request;

// Belongs to one worker and its thread.
class Moves {
 public:
  // References outlive this.
  Moves(const MobilityParams& params, Allocations& allocations, crypto::Random& random, const HashKey& key,
        Breakdown& breakdown)
      : params_(params),
        allocations_(allocations),
        random_(random),
        breakdown_(breakdown),
        by_destination_(0, KeyedHash(key)) {}

  const MobilityParams& params() const { return params_; }
  // Whether no allocation is about to move.
  bool empty() const { return by_destination_.empty(); }
  // The allocation that is about to move to this 5-tuple; null when there is none.
  Allocation* find_arriving(const FiveTuple& tuple) const {
    const auto found = by_destination_.find(tuple);
    return found == by_destination_.end() ? nullptr : found->second;
  }
  // The allocation that has this ticket; null when there is none.
  Allocation* find(const Ticket& ticket) const;

  // Whether this sender may move the allocation.
  static bool may_move(const auth::Identity& sender, const Allocation& allocation);

  // Gives the allocation a ticket, so that it can move. The answer to Allocate carries the ticket.
  void give_ticket(Allocation& allocation);
  // Begins the move that a Refresh has requested, to the 5-tuple of that request.
  void begin(Allocation& allocation, const Request& request, Output& out);
  // Cancels the move: the client was not heard on the new path, so the allocation stays where it is.
  void cancel(Allocation& allocation, Output& out);
  // A client was heard on this 5-tuple. If an allocation is about to move there, this completes the move and
  // returns the allocation; otherwise it returns null. `sender` is null for data, which carry no signature.
  Allocation* complete(const FiveTuple& tuple, const auth::Identity* sender, TimePoint now, Output& out);
  // Removes the ticket and the move of an allocation that ends.
  void remove(Allocation& allocation, Output& out);

 private:
  const MobilityParams params_;
  Allocations& allocations_;
  crypto::Random& random_;
  Breakdown& breakdown_;
  std::map<Ticket, Allocation*>
      by_ticket_;  // a tree and no hash table, since strangers may present any ticket
  boost::unordered_flat_map<FiveTuple, Allocation*, KeyedHash>
      by_destination_;  // moves that are not completed
};

}  // namespace turnpike::turn
