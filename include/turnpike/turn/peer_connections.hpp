// The port through which the server asks the outside for TCP connections between relayed transport addresses
// and peers (RFC 6062). What becomes of them is told by Server::on_connected, on_accepted and on_peer_closed.
#pragma once

#include <cstdint>
#include <optional>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

// CONNECTION-ID (RFC 6062 §6.2.1). The numbers of all workers are different ones, and cannot be guessed.
enum class ConnectionId : std::uint32_t {};

// One per worker, and used on its thread alone. The connections that wait to be bound all workers share:
// a client's data connection comes to whichever worker the kernel gives it.
class PeerConnections {
 public:
  virtual ~PeerConnections() = default;

  // Begins a connection from a relayed address of this worker to `peer`, which is in its local form. Nothing
  // when the machine has no descriptor for it.
  virtual std::optional<ConnectionId> connect(RelayId relay, const Endpoint& peer) = 0;

  // Has a connection of this worker wait for a data connection of this client. Nothing is read from it
  // meanwhile: what the peer sends comes after the answer to ConnectionBind.
  virtual void offer(ConnectionId id, const auth::Identity& client) = 0;

  // Whom a connection, of whichever worker, waits for.
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
