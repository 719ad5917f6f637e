// The TCP connections with peers that all workers know of (RFC 6062): those that wait for a client's data
// connection, whichever worker that comes to, and who has bound the others. Looked at when connections come
// and go, never for what they carry.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "net/fd.hpp"
#include "turnpike/auth/long_term.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/peer_connections.hpp"

namespace turnpike::relay {

// Thread-safe.
class PeerConnectionTable {
 public:
  using ConnectionId = turn::ConnectionId;

  // A new number, for a connection of this worker's allocation.
  ConnectionId add(unsigned worker, crypto::Random& random);
  // It waits, and belongs to the table meanwhile.
  void offer(ConnectionId id, const auth::Identity& client, turn::SharedBudgets budgets, net::Fd peer);
  // Whom one waits for.
  std::optional<auth::Identity> awaited_by(ConnectionId id);
  // Takes one that waits for this identity.
  struct Waiting {
    net::Fd peer;
    turn::SharedBudgets budgets;
  };
  std::optional<Waiting> bind(ConnectionId id, const auth::Identity& identity, unsigned worker);

  // Forgets one that nobody has bound, and closes it; false when somebody has.
  bool close_unbound(ConnectionId id);
  // Forgets it, and closes it if it waits. The worker that has bound it, if one has.
  std::optional<unsigned> close(ConnectionId id);
  // Forgets one that was bound. The worker of its allocation; nothing when that had forgotten it.
  std::optional<unsigned> ended(ConnectionId id);

 private:
  struct Entry {
    unsigned worker = 0;
    auth::Identity client;  // once it waits
    turn::SharedBudgets budgets;
    net::Fd peer;  // while it waits
    std::optional<unsigned> bound_by;
  };

  std::mutex mutex_;
  std::map<ConnectionId, Entry> entries_;
};

}  // namespace turnpike::relay
