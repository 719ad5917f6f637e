// The table of TCP connections with peers that all workers share (RFC 6062). It has the connections that wait
// for a client's data connection, which may come to any worker, and it knows which worker has bound each of
// the others. It is used when connections come and go, and not for the data that they carry.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "net/fd.hpp"
#include "relay/leaving_peers.hpp"
#include "turnpike/auth/long_term.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/turn/peer_connections.hpp"

namespace turnpike::relay {

// Thread-safe.
class PeerConnectionTable {
 public:
  using ConnectionId = turn::ConnectionId;

  // Adds a connection of an allocation of `worker`. Returns its new number.
  ConnectionId add(unsigned worker, crypto::Random& random);
  // Makes a connection wait for a ConnectionBind of `client`. The table owns the socket meanwhile. When this
  // throws std::bad_alloc, `peer` is as it was.
  void offer(ConnectionId id, const auth::Identity& client, turn::SharedBudgets budgets, net::Fd&& peer);
  bool is_waiting(ConnectionId id);
  // The client for which a connection waits; nothing when it does not wait.
  std::optional<auth::Identity> awaited_by(ConnectionId id);
  // A connection that waited, as bind() returns it.
  struct Waiting {
    net::Fd peer;
    turn::SharedBudgets budgets;
  };
  std::optional<Waiting> bind(ConnectionId id, const auth::Identity& identity, unsigned worker);

  // Removes and closes a connection that no worker has bound. Returns false when a worker has bound it.
  bool close_unbound(ConnectionId id);
  // Removes a connection, and closes it when it waits. Returns the worker that has bound it, if any.
  std::optional<unsigned> close(ConnectionId id);
  // Removes a connection that was bound and has ended. Returns the worker of its allocation; nothing when it
  // was removed before.
  std::optional<unsigned> remove_ended(ConnectionId id);

  // The connections that are not in the table any more, but still have their addresses.
  LeavingPeers& leaving() { return leaving_; }

 private:
  struct Entry {
    unsigned worker = 0;
    auth::Identity client;  // set when the connection waits
    turn::SharedBudgets budgets;
    net::Fd peer;  // while it waits
    std::optional<unsigned> bound_by;
  };

  std::mutex mutex_;
  std::map<ConnectionId, Entry> entries_;
  LeavingPeers leaving_;
};

}  // namespace turnpike::relay
