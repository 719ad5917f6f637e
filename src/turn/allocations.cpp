#include "turnpike/turn/allocations.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace turnpike::turn {

namespace {

// When an allocation ends, this many discarded permissions are freed at once, and on_timeout frees the rest.
// Most allocations have fewer, and freeing this many takes no noticeable time.
constexpr std::size_t kFew = 256;

}  // namespace

// Steps that need memory come first, so that either all steps are done or none.
Allocation& Allocations::add(std::unique_ptr<Allocation> allocation) {
  for (const Relay& relay : allocation->relays) {
    const auto index = static_cast<std::size_t>(relay.id());
    if (index >= by_relay_.size()) by_relay_.resize(index + 1);
  }
  try {
    if (allocation->transport == RelayedTransport::udp) {
      for (const Relay& relay : allocation->relays) by_relayed_.emplace(relay.local(), allocation.get());
    }
    by_tuple_.insert(Place{&allocation->tuple});
  } catch (const std::bad_alloc&) {
    for (const Relay& relay : allocation->relays) by_relayed_.erase(relay.local());
    throw;
  }
  Allocation& added = *allocation.release();
  for (const Relay& relay : added.relays) by_relay_[static_cast<std::size_t>(relay.id())] = &added;
  added.deadline = added.expiry;
  by_deadline_.insert(added);
  return added;
}

void Allocations::move_to(const FiveTuple& tuple, Allocation& allocation) {
  const Place& place = *by_tuple_.insert(Place{&tuple}).first;  // only this can throw
  by_tuple_.erase(by_tuple_.find(allocation.tuple));
  allocation.tuple = tuple;
  place.tuple = &allocation.tuple;
}

void Allocations::forget(const Relay& relay) {
  by_relay_[static_cast<std::size_t>(relay.id())] = nullptr;
  by_relayed_.erase(relay.local());
}

std::unique_ptr<Allocation> Allocations::erase(Allocation& allocation) {
  for (const Relay& relay : allocation.relays) forget(relay);
  by_deadline_.erase(by_deadline_.iterator_to(allocation));
  allocation.peers.clear(discarded_);
  discarded_.free(kFew);
  by_tuple_.erase(by_tuple_.find(allocation.tuple));
  return std::unique_ptr<Allocation>(&allocation);
}

Relay Allocations::remove_relay(Allocation& allocation, Family family) {
  const auto found = std::ranges::find(allocation.relays, family, &Relay::family);
  Relay removed = std::move(*found);
  allocation.relays.erase(found);
  forget(removed);
  allocation.peers.remove_family(family, discarded_);
  discarded_.free(kFew);
  return removed;
}

void Allocations::wake_by(Allocation& allocation, SteadyTime deadline) {
  if (deadline >= allocation.deadline) return;
  by_deadline_.erase(by_deadline_.iterator_to(allocation));
  allocation.deadline = deadline;
  by_deadline_.insert(allocation);
}

void Allocations::extend(Allocation& allocation, SteadyTime expiry) {
  allocation.set_expiry(expiry);
  wake_by(allocation, allocation.expiry);
}

SteadyTime Allocations::next_deadline() const {
  if (!discarded_.empty()) return SteadyTime::min();
  return by_deadline_.empty() ? SteadyTime::max() : by_deadline_.begin()->deadline;
}

Allocation* Allocations::first_due(SteadyTime now) {
  if (by_deadline_.empty() || by_deadline_.begin()->deadline > now) return nullptr;
  return &*by_deadline_.begin();
}

std::size_t Allocations::purge(Allocation& allocation, SteadyTime now, std::size_t most) {
  const std::size_t removed = allocation.peers.purge(now, most);
  by_deadline_.erase(by_deadline_.iterator_to(allocation));
  allocation.deadline = std::min(allocation.expiry, allocation.peers.next_expiry());
  by_deadline_.insert(allocation);
  return removed;
}

}  // namespace turnpike::turn
