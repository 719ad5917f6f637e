// One worker's TCP connections between relayed addresses and peers (RFC 6062): which allocation has them, and
// until when they wait for something. The sockets are elsewhere, behind PeerConnections.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/types.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_access.hpp"
#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/responder.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class TcpConnections {
 public:
  // References outlive this. `connections` is null where TCP is not relayed.
  TcpConnections(PeerConnections* connections, Quota& quota, const PeerAccess& access, Responder& responder,
                 Counters& counters)
      : connections_(connections),
        quota_(quota),
        access_(access),
        responder_(responder),
        counters_(counters) {}

  // Whether TCP is relayed.
  bool enabled() const { return connections_ != nullptr; }

  // --- Requests
  // The client asks for a connection with a peer. The answer follows when the connection is there.
  void on_connect(Request& request, Output& out);
  // The client makes the connection that this request came by the data connection of a peer's.
  // `has_allocation` says whether it is a control connection, which cannot become one.
  void on_connection_bind(Request& request, bool has_allocation, Output& out);
  // Whose key to try first when a ConnectionBind is authenticated.
  std::optional<auth::Identity> find_awaited(const Request& request) const;

  // --- Peers; these follow the calls of Server with the same names
  void on_connected(ConnectionId id, bool connected, TimePoint now, Output& out);
  // `allocation` is the one that has the relayed address, or null. False when the peer is turned away.
  bool on_accepted(Allocation* allocation, ConnectionId id, const Endpoint& from, TimePoint now, Output& out);
  void on_peer_closed(ConnectionId id) { forget(id); }

  // --- Ends
  // Closes the connections of an allocation, or those from one of its relayed addresses.
  void close(Allocation& allocation, std::optional<Family> family = {});
  // Closes the connections with peers that the policy does not allow any more. A Connect that waits for its
  // answer is refused.
  void close_forbidden(Allocation& allocation, TimePoint now, Output& out);
  // SteadyTime::max() when nothing is waiting.
  SteadyTime next_deadline() const { return deadlines_.next(); }
  // Ends connections whose peer did not answer and those that no ConnectionBind claimed in time. At most
  // `most` of them; how many there were.
  std::size_t expire(TimePoint now, std::size_t most, Output& out);

 private:
  struct Connection {
    Allocation* allocation = nullptr;
    Endpoint peer;
    SteadyTime deadline;                // of the peer's answer, and then of ConnectionBind
    bool waits = false;                 // the peer began it, and nobody has bound it yet
    std::vector<std::uint8_t> request;  // the Connect that waits for its answer; else empty
    auth::Authenticated sender;         // who sent that request, and how it was signed
    QuotaSlot quota{};
  };

  std::optional<stun::ErrorCode> check_connect(const Request& request, const Peer& peer) const;
  bool may_connect(const Peer& peer) const;
  QuotaSlot take_place(const Allocation& allocation, Output& out);
  void answer_connect(const Connection& connection, ConnectionId id, std::optional<stun::ErrorCode> failure,
                      TimePoint now, Output& out);
  std::size_t waiting(const Allocation& allocation) const;
  void add(ConnectionId id, Connection connection, SteadyTime deadline);
  void forget(ConnectionId id);

  PeerConnections* connections_;
  Quota& quota_;
  const PeerAccess& access_;
  Responder& responder_;
  Counters& counters_;
  // By numbers that this process has drawn: no stranger chooses them, so a plain hash will do.
  boost::unordered_flat_map<ConnectionId, Connection> by_id_;
  Deadlines<ConnectionId> deadlines_;
};

}  // namespace turnpike::turn
