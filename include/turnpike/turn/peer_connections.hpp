// The interface through which the server asks the outside for TCP connections between relayed transport
// addresses and peers (RFC 6062). What becomes of them it learns by its on_connected, on_accepted and
// on_peer_closed.
#pragma once

#include <cstdint>
#include <optional>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/byte_budget.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

// CONNECTION-ID (RFC 6062 §6.2.1). No two workers give out the same number, and nobody can guess one.
enum class ConnectionId : std::uint32_t {};

// There is one per worker, used on its thread alone. All workers share the connections that wait to be bound,
// since a client's data connection comes to whichever worker the kernel gives it.
class PeerConnections {
 public:
  virtual ~PeerConnections() = default;

  // Begins a connection from a relayed address of this worker to `peer`, which is in its local form. Nothing
  // when the machine has no descriptor for it.
  virtual std::optional<ConnectionId> connect(RelayId relay, const Endpoint& peer) = 0;

  // Makes a connection of this worker wait for a data connection of this client. Nothing is read from it
  // meanwhile, since what the peer sends must come after the answer to ConnectionBind.
  // What it carries is paid for with these budgets.
  virtual void offer(ConnectionId id, const auth::Identity& client, SharedBudgets budgets) = 0;

  // The client that a connection waits for, whichever worker has it. Nothing when there is no such
  // connection.
  virtual std::optional<auth::Identity> awaited_by(ConnectionId id) = 0;

  // Makes the client's connection, which is this worker's, the data connection of `id`, as soon as what is in
  // the Output has been sent. False when none is waiting for this identity under this number.
  virtual bool bind(ConnectionId id, const auth::Identity& identity, const FiveTuple& client) = 0;

  // Closes a connection of this worker that nobody has bound; false when somebody has.
  virtual bool close_unbound(ConnectionId id) = 0;

  // Closes a connection of this worker, and its data connection with it.
  virtual void close(ConnectionId id) = 0;
};

}  // namespace turnpike::turn
