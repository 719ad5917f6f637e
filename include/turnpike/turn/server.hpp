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
//     Allocator       Allocate
//     Permissions     CreatePermission and ChannelBind
//     Shaper          how much may be relayed in a second
//     Relaying        ChannelData, Send and what peers send
//     Binding         Binding, and NAT discovery (RFC 5780)
#pragma once

#include <cstdint>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/turn/allocation_info.hpp"
#include "turnpike/turn/allocations.hpp"
#include "turnpike/turn/allocator.hpp"
#include "turnpike/turn/binding.hpp"
#include "turnpike/turn/counters.hpp"
#include "turnpike/turn/lifetimes.hpp"
#include "turnpike/turn/moves.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/peer_access.hpp"
#include "turnpike/turn/permissions.hpp"
#include "turnpike/turn/relaying.hpp"
#include "turnpike/turn/reservations.hpp"
#include "turnpike/turn/responder.hpp"
#include "turnpike/turn/server_params.hpp"
#include "turnpike/turn/settings.hpp"
#include "turnpike/turn/shaper.hpp"
#include "turnpike/turn/tcp_connections.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class Server {
 public:
  using Params = ServerParams;

  explicit Server(const Params& params);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // A datagram from a client, or one message of its stream. It stays valid until `out` was carried out.
  void on_client(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out);

  // The connection of a stream client is gone. Nobody can come back to this 5-tuple, so its allocation ends
  // with it, unless the client may move (RFC 8016).
  void on_client_closed(const FiveTuple& tuple, TimePoint now, Output& out);

  // A datagram from a peer to a relayed address.
  void on_peer(RelayId relay, const Endpoint& from, Bytes payload, TimePoint now, Output& out);

  // An ICMP error for a datagram that went from a relayed address to `peer` (RFC 8656 §11.5).
  void on_icmp(RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, TimePoint now, Output& out);

  // RFC 6062: a connection that was asked for with PeerConnections::connect is open, or cannot be opened.
  void on_connected(ConnectionId id, bool connected, TimePoint now, Output& out);
  // A peer has connected to a relayed address. False when it may not: then the caller closes the connection.
  bool on_accepted(RelayId relay, ConnectionId id, const Endpoint& from, TimePoint now, Output& out);
  // The peer or the client has closed it.
  void on_peer_closed(ConnectionId id);

  // From now on these settings hold; see Settings for how long what they point to has to live. What they no
  // longer allow ends: allocations of users who are gone or have another password, permissions, channels, and
  // connections with peers.
  void on_settings(const Settings& settings, TimePoint now, Output& out);
  // The same where nothing but the policy differs.
  void on_policy(const PeerPolicy& policy, TimePoint now, Output& out);

  // For operators: all allocations, in no order, and the end of one of them. Returns false when there is none
  // of that number.
  std::vector<AllocationInfo> list_allocations(TimePoint now) const;
  bool end_allocation(std::uint64_t number, TimePoint now, Output& out);

  // Removes what has expired; to be called at next_deadline() or later. There is a bound to what one call
  // does. Where it has left something, the next deadline has passed already. What has expired counts as
  // absent even before it is removed.
  void on_timeout(TimePoint now, Output& out);
  // SteadyTime::max() when nothing is waiting.
  SteadyTime next_deadline() const;

  // Whether a 5-tuple has an allocation here, or one that is about to move to it.
  bool knows(const FiveTuple& tuple) const {
    return allocations_.contains(tuple) || moves_.find_arriving(tuple) != nullptr;
  }

  std::size_t allocations() const { return allocations_.size(); }
  const Counters& counters() const { return counters_; }
  const Breakdown& breakdown() const { return breakdown_; }

 private:
  Server(const ServerParams& params, const HashKey& key);

  void on_channel_data(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out);
  void on_send(const FiveTuple& tuple, const stun::MessageView& indication, TimePoint now, Output& out);
  void on_request(const FiveTuple& tuple, const stun::MessageView& message, TimePoint now, Output& out);
  void on_turn_request(Request& request, Output& out);
  void on_authenticated(Request& request, Output& out);
  void on_request_with_allocation(Request& request, Output& out);

  // The order matters: a part refers only to parts that stand above it.
  Settings settings_;
  const auth::Nonces::MasterKey nonce_key_;
  Counters counters_;
  Breakdown breakdown_;
  PeerAccess access_;
  Responder responder_;
  Allocations allocations_;
  Moves moves_;
  TcpConnections tcp_connections_;
  Lifetimes lifetimes_;
  Reservations reservations_;
  Allocator allocator_;
  Permissions permissions_;
  Shaper shaper_;
  Relaying relaying_;
  Binding binding_;
};

}  // namespace turnpike::turn
