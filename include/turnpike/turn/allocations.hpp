// The table of one worker's allocations. It finds them by the client's 5-tuple, by relay, by relayed address
// and by deadline. It makes no decisions; Lifetimes does.
#pragma once

#include <boost/intrusive/parent_from_member.hpp>
#include <boost/intrusive/set.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <memory>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_table.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class Allocations {
 public:
  explicit Allocations(const HashKey& key)
      : by_tuple_(0, HashOfTuple{KeyedHash(key)}), by_relayed_(0, KeyedHash(key)) {}
  ~Allocations() { by_deadline_.clear_and_dispose(std::default_delete<Allocation>()); }
  Allocations(const Allocations&) = delete;
  Allocations& operator=(const Allocations&) = delete;

  // Null when there is none. It also returns an allocation that has expired and is not yet erased.
  Allocation* find(const FiveTuple& tuple) const {
    const auto found = by_tuple_.find(tuple);
    return found == by_tuple_.end() ? nullptr : &found->allocation();
  }
  // Null when there is none that is alive.
  Allocation* find(RelayId relay, SteadyTime now) const {
    const auto index = static_cast<std::size_t>(relay);
    Allocation* allocation = index < by_relay_.size() ? by_relay_[index] : nullptr;
    return allocation && now < allocation->expiry ? allocation : nullptr;
  }
  // Finds it by a relayed address of UDP, in its local form.
  Allocation* find(const Endpoint& relayed, SteadyTime now) const {
    const auto found = by_relayed_.find(relayed);
    return found != by_relayed_.end() && now < found->second->expiry ? found->second : nullptr;
  }
  bool contains(const FiveTuple& tuple) const { return by_tuple_.contains(tuple); }
  std::size_t size() const { return by_tuple_.size(); }
  // Calls visit(Allocation&) for each allocation, in no particular order. The visitor must not add or erase
  // allocations.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (const Place& place : by_tuple_) visit(place.allocation());
  }

  // Strong guarantee: when it throws std::bad_alloc, nothing was added.
  Allocation& add(std::unique_ptr<Allocation> allocation);
  // Gives the allocation another 5-tuple, which must have no allocation. When it throws std::bad_alloc, the
  // allocation keeps the old 5-tuple.
  void move_to(const FiveTuple& tuple, Allocation& allocation);
  // erase() and remove_relay() need no memory. The caller closes the relays.
  std::unique_ptr<Allocation> erase(Allocation& allocation);
  // Removes one of two relayed addresses, with the permissions and channels of its family.
  Relay remove_relay(Allocation& allocation, Family family);

  // Makes first_due() return the allocation at `deadline` or earlier. A deadline that moves to a later time
  // needs no call, because the allocation is looked at again when the earlier deadline comes.
  void wake_by(Allocation& allocation, SteadyTime deadline);
  // Gives the allocation a new expiry, limited by its latest end.
  void extend(Allocation& allocation, SteadyTime expiry);

  // The time at which first_due() or free_discarded() has work; SteadyTime::max() when there is none.
  SteadyTime next_deadline() const;
  // An allocation whose deadline has passed; null when there is none.
  Allocation* first_due(SteadyTime now);
  // Removes at most `most` expired entries from an allocation that was due, and sets its next deadline.
  // Returns the number of removed entries.
  std::size_t purge(Allocation& allocation, SteadyTime now, std::size_t most);
  // Frees the memory of at most `most` permissions of deleted allocations. Returns the number of freed
  // permissions.
  std::size_t free_discarded(std::size_t most) { return discarded_.free(most); }

 private:
  void forget(const Relay& relay);

  // In the table by 5-tuple: the 5-tuple of an allocation, which is found through it. A place is small, since
  // tables are partly empty.
  struct Place {
    Allocation& allocation() const {
      return *boost::intrusive::get_parent_from_member(const_cast<FiveTuple*>(tuple), &Allocation::tuple);
    }

    // Points to an equal 5-tuple outside the allocation while the allocation gets another one. Therefore it
    // may change while it is in a table.
    mutable const FiveTuple* tuple;
  };
  struct HashOfTuple {
    using is_transparent = void;
    using is_avalanching = void;
    std::size_t operator()(const FiveTuple& tuple) const { return hash(tuple); }
    std::size_t operator()(const Place& place) const { return hash(*place.tuple); }

    KeyedHash hash;
  };
  struct EqualTuple {
    using is_transparent = void;
    bool operator()(const Place& a, const Place& b) const { return *a.tuple == *b.tuple; }
    bool operator()(const FiveTuple& a, const Place& b) const { return a == *b.tuple; }
    bool operator()(const Place& a, const FiveTuple& b) const { return *a.tuple == b; }
  };
  struct ByDeadline {
    bool operator()(const Allocation& a, const Allocation& b) const { return a.deadline < b.deadline; }
  };

  boost::unordered_flat_set<Place, HashOfTuple, EqualTuple> by_tuple_;
  std::vector<Allocation*> by_relay_;  // by RelayId; null when there is none
  boost::unordered_flat_map<Endpoint, Allocation*, KeyedHash> by_relayed_;
  boost::intrusive::multiset<Allocation, boost::intrusive::compare<ByDeadline>,
                             boost::intrusive::constant_time_size<false>>
      by_deadline_;                 // owns the allocations
  DiscardedPermissions discarded_;  // of deleted allocations
};

}  // namespace turnpike::turn
