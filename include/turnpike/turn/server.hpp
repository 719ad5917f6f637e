// The STUN and TURN server of one worker, as a state machine: bytes and the time go in, datagrams to send
// come out. It opens no socket, reads no clock and starts no thread, so a test plays a whole day of it in a
// millisecond.
//
// The server itself only decides which of its parts a message is for. Each part owns its own state:
//
//     Responder       who sent a request; building, signing and limiting the answers
//     PeerAccess      which peers clients may reach
//     Allocations     the table of allocations and their deadlines
//     Moves           allocations that may move to another 5-tuple (RFC 8016)
//     TcpConnections  connections with peers (RFC 6062)
//     Lifetimes       Refresh, and the ends of allocations
//     Reservations    relayed addresses that were reserved and wait to be claimed
//     Relaying        ChannelData, Send and what peers send; its part:
//       Shaper        how much may be relayed in a second
//     Requests        all requests; a part for each kind:
//       Allocator     Allocate
//       Permissions   CreatePermission and ChannelBind
//       Binding       Binding, and NAT discovery (RFC 5780)
#pragma once

#include <cstdint>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/turn/allocation_info.hpp"
#include "turnpike/turn/allocations.hpp"
#include "turnpike/turn/counters.hpp"
#include "turnpike/turn/lifetimes.hpp"
#include "turnpike/turn/moves.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_access.hpp"
#include "turnpike/turn/relaying.hpp"
#include "turnpike/turn/requests.hpp"
#include "turnpike/turn/reservations.hpp"
#include "turnpike/turn/responder.hpp"
#include "turnpike/turn/server_params.hpp"
#include "turnpike/turn/settings.hpp"
#include "turnpike/turn/tcp_connections.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class Server {
 public:
  using Params = ServerParams;

  explicit Server(const Params& params);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A datagram from a client, or one message of its stream. `message` must stay valid until `out` was carried
  // out.
  void on_client(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out);

  // The connection of a stream client is closed. Its 5-tuple cannot come back, so its allocation ends too,
  // unless the client may move (RFC 8016).
  void on_client_closed(const FiveTuple& tuple, TimePoint now, Output& out);

  // A datagram from a peer to a relayed address.
  void on_peer(RelayId relay, const Endpoint& from, Bytes payload, TimePoint now, Output& out);

  // A datagram from a relayed address of another worker (Output::ToRelay) to one of this worker. It is
  // treated like a datagram from the network.
  void on_relayed(const Endpoint& relayed, const Endpoint& from, Bytes payload, TimePoint now, Output& out);

  // An ICMP error for a datagram that went from a relayed address to `peer` (RFC 8656 §11.5).
  void on_icmp(RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, TimePoint now, Output& out);

  // A connection that PeerConnections::connect began is open, or could not be opened (RFC 6062).
  void on_connected(ConnectionId id, bool connected, TimePoint now, Output& out);
  // A peer has connected to a relayed address. Returns false when the peer is not allowed; the caller then
  // closes the connection.
  bool on_accepted(RelayId relay, ConnectionId id, const Endpoint& from, TimePoint now, Output& out);
  // The peer or the client has closed the connection.
  void on_peer_closed(ConnectionId id);

  // Applies changed settings; see Settings for how long the pointers must be valid. What the new settings
  // forbid ends: allocations of users who were removed or have another password, permissions, channels, and
  // connections with peers. When there is no memory for this, or when it throws std::bad_alloc, the new
  // settings still hold for everything new, but some of what they forbid may continue.
  void on_settings(const Settings& settings, TimePoint now, Output& out);
  // The same when only the policy has changed.
  void on_policy(const PeerPolicy& policy, TimePoint now, Output& out);

  // For operators: lists all allocations, in no particular order, or those that on_settings() would end with
  // `ended_by`; and ends one of them. end_allocation() returns false when no allocation has this number.
  std::vector<AllocationInfo> list_allocations(TimePoint now, const Settings* ended_by = nullptr) const;
  bool end_allocation(std::uint64_t number, TimePoint now, Output& out);
  // Ends all allocations, because the server stops.
  void end_all(TimePoint now, Output& out);

  // Removes expired entries. Call it at next_deadline() or later. One call does a limited amount of work; if
  // entries are left, the next deadline is already in the past. An expired entry counts as absent even before
  // it is removed.
  void on_timeout(TimePoint now, Output& out);
  // SteadyTime::max() when nothing is waiting.
  SteadyTime next_deadline() const;

  // Whether a 5-tuple has an allocation here, or an allocation is about to move to it.
  bool knows(const FiveTuple& tuple) const { return lifetimes_.knows(tuple); }

  std::size_t allocations() const { return allocations_.size(); }
  const Counters& counters() const { return counters_; }
  const Breakdown& breakdown() const { return breakdown_; }

 private:
  Server(const ServerParams& params, const HashKey& key);

  void on_foreign(const FiveTuple& tuple, Bytes message, stun::ParseError error, TimePoint now, Output& out);
  void reject_client(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out);
  void on_channel_data(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out);
  void on_send(const FiveTuple& tuple, const stun::MessageView& indication, TimePoint now, Output& out);
  void end_forbidden(const Settings& former, TimePoint now, Output& out);

  // The order matters: a part refers only to parts above it.
  Settings settings_;
  Counters counters_;
  Breakdown breakdown_;
  PeerAccess access_;
  Responder responder_;
  Allocations allocations_;
  Moves moves_;
  TcpConnections tcp_connections_;
  Lifetimes lifetimes_;
  Reservations reservations_;
  Relaying relaying_;
  Requests requests_;
};

}  // namespace turnpike::turn
