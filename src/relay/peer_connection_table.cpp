#include "relay/peer_connection_table.hpp"

#include <utility>

namespace turnpike::relay {

turn::ConnectionId PeerConnectionTable::add(unsigned worker, crypto::Random& random) {
  const std::lock_guard lock(mutex_);
  for (;;) {
    std::array<std::uint8_t, 4> number;
    random.fill(number);
    const auto [entry, added] = entries_.try_emplace(ConnectionId{load_u32(number.data())});
    if (!added) continue;
    entry->second.worker = worker;
    return entry->first;
  }
}

void PeerConnectionTable::offer(ConnectionId id, const auth::Identity& client, turn::SharedBudgets budgets,
                                net::Fd&& peer) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(id);
  entry.client = client;
  entry.budgets = std::move(budgets);
  entry.peer = std::move(peer);
}

bool PeerConnectionTable::is_waiting(ConnectionId id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  return found != entries_.end() && found->second.peer;
}

std::optional<auth::Identity> PeerConnectionTable::awaited_by(ConnectionId id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.peer) return std::nullopt;
  return found->second.client;
}

std::optional<PeerConnectionTable::Waiting> PeerConnectionTable::bind(ConnectionId id,
                                                                      const auth::Identity& identity,
                                                                      unsigned worker) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || !found->second.peer || !found->second.client.is_same(identity)) {
    return std::nullopt;
  }
  found->second.bound_by = worker;
  return Waiting{std::exchange(found->second.peer, net::Fd()), std::move(found->second.budgets)};
}

bool PeerConnectionTable::close_unbound(ConnectionId id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.bound_by) return false;
  entries_.erase(found);
  return true;
}

std::optional<unsigned> PeerConnectionTable::close(ConnectionId id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  const std::optional<unsigned> bound_by = found->second.bound_by;
  entries_.erase(found);
  return bound_by;
}

std::optional<unsigned> PeerConnectionTable::remove_ended(ConnectionId id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  const unsigned worker = found->second.worker;
  entries_.erase(found);
  return worker;
}

}  // namespace turnpike::relay
