// The interface by which the server requests TCP connections between relayed transport addresses and peers
// (RFC 6062). Server::on_connected, on_accepted and on_peer_closed report their results.
#pragma once

#include <cstdint>
#include <optional>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/byte_budget.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

// CONNECTION-ID (RFC 6062 §6.2.1). Two workers never use the same number, and nobody can guess one.
enum class ConnectionId : std::uint32_t {};

// Each worker has one and uses it on its own thread. All workers share the table of connections that wait for
// a ConnectionBind, since a client's data connection may come to any worker.
class PeerConnections {
 public:
  virtual ~PeerConnections() = default;

  // Begins a connection from a relayed address of this worker to `peer`, which is in its local form. Nothing
  // when the machine has no descriptor left.
  virtual std::optional<ConnectionId> connect(RelayId relay, const Endpoint& peer) = 0;

  // Makes a connection of this worker wait for a ConnectionBind of this client. Nothing is read from the
  // connection until then, since the peer's data must follow the answer to ConnectionBind. The relayed data
  // are charged to `budgets`.
  virtual void offer(ConnectionId id, const auth::Identity& client, SharedBudgets budgets) = 0;

  // Whether a connection waits for a ConnectionBind: it was offered, and no client has bound it.
  virtual bool is_waiting(ConnectionId id) = 0;

  // The client for which a connection of any worker waits. Nothing when there is no such connection.
  virtual std::optional<auth::Identity> awaited_by(ConnectionId id) = 0;

  // Joins the connection `id` with the client's connection, which belongs to this worker, after the Output
  // was sent. Returns false when no connection with this number waits for this identity.
  virtual bool bind(ConnectionId id, const auth::Identity& identity, const FiveTuple& client) = 0;

  // Closes a connection of this worker if no client has bound it. Returns false when one has.
  virtual bool close_unbound(ConnectionId id) = 0;

  // Closes a connection of this worker and its data connection.
  virtual void close(ConnectionId id) = 0;
};

}  // namespace turnpike::turn
