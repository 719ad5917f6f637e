// The TCP connections of one worker between relayed addresses and peers (RFC 6062): the allocation and the
// deadline of each. The sockets are behind PeerConnections.
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
  // All references must outlive this object. `connections` is null when TCP is not relayed.
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
  // Connect: the client asks for a connection with a peer. The answer is sent when the connection is open or
  // has failed.
  void on_connect(Request& request, Output& out);
  // ConnectionBind: the connection of this request becomes the data connection of a connection with a peer.
  // `has_allocation` says that it is a control connection, which cannot become a data connection.
  void on_connection_bind(Request& request, bool has_allocation, Output& out);
  // The identity whose key is tried first when a ConnectionBind is authenticated.
  std::optional<auth::Identity> find_awaited(const Request& request) const;

  // --- Peers; Server forwards its calls of the same names to these
  void on_connected(ConnectionId id, bool connected, TimePoint now, Output& out);
  // `allocation` is the one with the relayed address, or null. Returns false when the peer is refused.
  bool on_accepted(Allocation* allocation, ConnectionId id, const Endpoint& from, TimePoint now, Output& out);
  void on_peer_closed(ConnectionId id) { forget(id); }

  // --- Ends
  // Closes the connections of an allocation, or only those from its relayed address of one family.
  void close(Allocation& allocation, std::optional<Family> family = {});
  // Closes the connections with peers that the policy no longer allows. A Connect that waits for its answer
  // is refused.
  void close_forbidden(Allocation& allocation, TimePoint now, Output& out);
  // SteadyTime::max() when nothing is waiting.
  SteadyTime next_deadline() const { return deadlines_.next(); }
  // Ends connections whose peer did not accept in time, and those that no ConnectionBind claimed in time (30
  // s each). It ends at most `most` and returns their number.
  std::size_t expire(TimePoint now, std::size_t most, Output& out);

 private:
  struct Connection {
    Allocation* allocation = nullptr;
    Endpoint peer;
    SteadyTime deadline;                // for the peer's acceptance, and then for ConnectionBind
    bool waits = false;                 // the peer began it, and no client is known to have bound it
    std::vector<std::uint8_t> request;  // the Connect request that waits for its answer; otherwise empty
    auth::Authenticated sender;         // the sender of that request, and its signature
    QuotaSlot quota{};
  };

  bool is_being_answered(const Request& request, const Peer& peer) const;
  std::optional<stun::ErrorCode> check_connect(const Request& request, const Peer& peer) const;
  bool may_connect(const Peer& peer) const;
  QuotaSlot take_quota_slot(const Allocation& allocation, Output& out);
  void answer_connect(const Connection& connection, ConnectionId id, std::optional<stun::ErrorCode> failure,
                      TimePoint now, Output& out);
  std::optional<stun::ErrorCode> offer(ConnectionId id, const Connection& connection);
  std::size_t waiting(const Allocation& allocation) const;
  void note_bound(const Allocation& allocation);
  void add(ConnectionId id, Connection connection, SteadyTime deadline);
  void forget(ConnectionId id);

  PeerConnections* connections_;
  Quota& quota_;
  const PeerAccess& access_;
  Responder& responder_;
  Counters& counters_;
  // A plain hash is enough: this process draws the numbers at random, so no stranger chooses them.
  boost::unordered_flat_map<ConnectionId, Connection> by_id_;
  Deadlines<ConnectionId> deadlines_;
};

}  // namespace turnpike::turn
