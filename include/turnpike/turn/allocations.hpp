// The table of one worker's allocations: by the 5-tuple of the client, by relay, and by deadline. It keeps
// the books and decides nothing; see Lifetimes for that.
#pragma once

#include <boost/intrusive/set.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
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
  explicit Allocations(const HashKey& key) : by_tuple_(0, KeyedHash(key)) {}
  ~Allocations() { by_deadline_.clear(); }
  Allocations(const Allocations&) = delete;
  Allocations& operator=(const Allocations&) = delete;

  // Null when there is none. One that has expired is found until it is erased.
  Allocation* find(const FiveTuple& tuple) const {
    const auto found = by_tuple_.find(tuple);
    return found == by_tuple_.end() ? nullptr : found->second.get();
  }
  // Null when there is none that is still alive.
  Allocation* find(RelayId relay, SteadyTime now) const {
    const auto index = static_cast<std::size_t>(relay);
    Allocation* allocation = index < by_relay_.size() ? by_relay_[index] : nullptr;
    return allocation && now < allocation->expiry ? allocation : nullptr;
  }
  bool contains(const FiveTuple& tuple) const { return by_tuple_.contains(tuple); }
  std::size_t size() const { return by_tuple_.size(); }
  // Calls visit(Allocation&) for each of them, in no order. The visitor adds and erases none.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (const auto& [tuple, allocation] : by_tuple_) visit(*allocation);
  }

  // Where std::bad_alloc is thrown, nothing was added.
  Allocation& add(std::unique_ptr<Allocation> allocation);
  // Gives it another 5-tuple, which has no allocation. Where std::bad_alloc is thrown, it keeps the old one.
  void move_to(const FiveTuple& tuple, Allocation& allocation);
  // Both take something out of the table, and need no memory. What becomes of its relays is the caller's
  // part.
  std::unique_ptr<Allocation> erase(Allocation& allocation);
  // One relayed address of two, with the permissions and channels of its family.
  Relay remove_relay(Allocation& allocation, Family family);

  // Has first_due() find it at `deadline`, if it would not be found earlier anyway. A deadline that moves to
  // a later time needs no call: that is noticed when the old one comes.
  void wake_by(Allocation& allocation, SteadyTime deadline);
  // Gives it a new expiry, which is at most its latest end.
  void extend(Allocation& allocation, SteadyTime expiry);

  // When first_due() or free_discarded() has something to do; SteadyTime::max() when nothing is waiting.
  SteadyTime next_deadline() const;
  // An allocation whose deadline has come; null when there is none.
  Allocation* first_due(SteadyTime now);
  // Removes what has expired of one that was due, but no more than `most` entries, and sets its next
  // deadline. How many entries it removed.
  std::size_t purge(Allocation& allocation, SteadyTime now, std::size_t most);
  // Frees the memory of at most so many permissions whose allocations are gone. How many it freed.
  std::size_t free_discarded(std::size_t most) { return discarded_.free(most); }

 private:
  struct ByDeadline {
    bool operator()(const Allocation& a, const Allocation& b) const { return a.deadline < b.deadline; }
  };

  boost::unordered_flat_map<FiveTuple, std::unique_ptr<Allocation>, KeyedHash> by_tuple_;
  std::vector<Allocation*> by_relay_;  // by RelayId; null where there is none
  boost::intrusive::multiset<Allocation, boost::intrusive::compare<ByDeadline>,
                             boost::intrusive::constant_time_size<false>>
      by_deadline_;
  DiscardedPermissions discarded_;  // of allocations that are gone
};

}  // namespace turnpike::turn
