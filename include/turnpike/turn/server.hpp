// The STUN and TURN server of one worker, as a state machine: bytes and the time go in, datagrams to send
// come out. It opens no socket, reads no clock and starts no thread, so a test plays a whole day of it in a
// millisecond.
#pragma once

#include <boost/intrusive/set.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "turnpike/auth/credentials.hpp"
#include "turnpike/auth/long_term.hpp"
#include "turnpike/auth/nonce.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/deadlines.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/stun/message_builder.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/counters.hpp"
#include "turnpike/turn/limiters.hpp"
#include "turnpike/turn/nat_discovery.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/peer_policy.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

// Belongs to one worker and its thread.
class Server {
 public:
  // All references outlive the server, the policy's until on_policy; quota and limiters are shared with the
  // other workers.
  struct Params {
    const auth::CredentialStore& credentials;
    const PeerPolicy& policy;
    RelayPorts& ports;
    Quota& quota;             // of allocations
    Quota& connection_quota;  // of connections with peers (RFC 6062)
    Limiters& limiters;
    crypto::Random& random;
    PeerConnections* connections = nullptr;  // RFC 6062; null: no TCP relay
    // RFC 8016: where allocations that move can be found.
    struct Mobile {
      bool enabled = false;
      std::uint16_t worker = 0;  // this one, among
      std::uint16_t workers = 1;
    };
    Mobile mobile{};
    Limits limits;
    auth::Nonces::MasterKey nonce_key{};  // the same on every worker
    Duration nonce_lifetime = std::chrono::seconds(600);
    NatDiscoveries nat_discoveries{};
    const AlternateParams* alternates = nullptr;  // null: clients stay here
  };

  explicit Server(const Params& params);
  ~Server();

  // A datagram from a client, or one message of its stream. Valid until `out` was carried out.
  void on_client(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out);

  // The connection of a stream client is gone. Nobody can come back to this 5-tuple, so its allocation ends
  // with it, unless the client may move (RFC 8016).
  void on_client_closed(const FiveTuple& tuple, TimePoint now, Output& out);

  // A datagram from a peer to a relayed address.
  void on_peer(RelayId relay, const Endpoint& from, Bytes payload, TimePoint now, Output& out);

  // An ICMP error for a datagram that went from a relayed address to `peer` (RFC 8656 §11.5).
  void on_icmp(RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, TimePoint now, Output& out);

  // RFC 6062: a connection that was asked for with PeerConnections::connect is there, or cannot be had.
  void on_connected(ConnectionId id, bool connected, TimePoint now, Output& out);
  // A peer has connected to a relayed address. False when it may not: the connection is to be closed.
  bool on_accepted(RelayId relay, ConnectionId id, const Endpoint& from, TimePoint now, Output& out);
  // The peer or the client has closed it.
  void on_peer_closed(ConnectionId id);

  // From now on this policy holds, which outlives the server or the next call. What it no longer allows ends:
  // permissions, channels, and connections with peers.
  void on_policy(const PeerPolicy& policy, TimePoint now, Output& out);

  // To be called at next_deadline() or later; removes what has expired. There is a bound to what one call
  // does, and where it has left something the next deadline is over already. What has expired counts as
  // absent even before it is removed.
  void on_timeout(TimePoint now, Output& out);
  // SteadyTime::max() when nothing is waiting.
  SteadyTime next_deadline() const;

  // Whether a 5-tuple has an allocation here, or one that is about to move to it.
  bool knows(const FiveTuple& tuple) const { return allocations_.contains(tuple) || moves_.contains(tuple); }

  std::size_t allocations() const { return allocations_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Request;
  using Check = std::optional<stun::ErrorCode>;

  void on_channel_data(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out);
  void on_send(const FiveTuple& tuple, const stun::MessageView& indication, TimePoint now, Output& out);
  stun::TransactionId indication_id();
  void relay_to_peer(RelayId relay, const Endpoint& peer, Reach reach, Bytes payload, bool dont_fragment,
                     Output& out);

  void on_request(const FiveTuple& tuple, const stun::MessageView& message, TimePoint now, Output& out);
  void check_request(Request& request, Output& out);
  void on_authenticated(Request& request, Output& out);
  void on_allocate(Request& request, Output& out);
  void on_refresh(Request& request, Output& out);
  bool asks_for_token(Request& request, Output& out);
  void on_create_permission(Request& request, Output& out);
  void on_channel_bind(Request& request, Output& out);

  // Binding, and what RFC 5780 adds to it (binding.cpp).
  struct Discovery;
  void on_binding(Request& request, Output& out);
  const NatDiscovery* discovery_at(const FiveTuple& tuple) const;
  bool is_for_discovery_alone(const FiveTuple& tuple) const;
  Check read_discovery(const Request& request, Discovery& wish) const;
  void add_discovery(Request& request, const Discovery& wish, stun::MessageBuilder& builder) const;
  static std::size_t padding_for(const Request& request, std::size_t asked,
                                 const stun::MessageBuilder& builder);
  Endpoint advertised(Endpoint local) const;

  // Allocate, step by step (allocate.cpp).
  struct Wish;
  Check check_credential_expiry(const Request& request) const;
  Check check_transport(const Request& request, Wish& wish) const;
  bool is_sent_away(const Request& request, Redirect reason, Output& out);
  Check read_wish(const Request& request, Wish& wish) const;
  Check take_place(const Request& request, Wish& wish, Allocation& allocation, Output& out);
  Check claim_relay(const stun::ReservationToken& token, Allocation& allocation);
  Check open_relays(const Request& request, Wish& wish, Allocation& allocation);
  Check open_relay(const Request& request, Wish& wish, Family family, Allocation& allocation);
  void answer_allocate(const Request& request, const Allocation& allocation, Output& out);
  std::chrono::seconds granted_lifetime(const Request& request, const Allocation& allocation) const;
  static void set_expiry(Allocation& allocation, SteadyTime expiry);

  // CreatePermission and ChannelBind (permissions.cpp).
  struct Peer;
  Check read_peer(const Request& request, Bytes value, Peer& peer) const;
  static bool speaks_rfc5766(const Request& request);
  Check check_channel(const Request& request, stun::ChannelNumber number, const Endpoint& peer,
                      Output& out) const;

  // Connect and ConnectionBind (tcp_relay.cpp).
  struct PeerConnection {
    Allocation* allocation = nullptr;
    Endpoint peer;
    SteadyTime deadline;                // of the connection, and then of ConnectionBind
    bool waits = false;                 // the peer began it, and it may not be bound yet
    std::vector<std::uint8_t> request;  // the Connect that waits for its answer
    auth::Authenticated sender;         // who signed that, and how
    QuotaSlot quota{};
  };
  void on_connect(Request& request, Output& out);
  Check check_connect(const Request& request, Peer& peer) const;
  QuotaSlot take_connection(const Allocation& allocation, Output& out);
  void on_connection_bind(Request& request, Output& out);
  std::optional<auth::Identity> find_awaited(const Request& request) const;
  void answer_connect(const PeerConnection& connection, ConnectionId id, Check failure, TimePoint now,
                      Output& out);
  bool may_connect(const Peer& peer) const;
  void close_forbidden_connections(Allocation& allocation, TimePoint now, Output& out);
  void add_connection(ConnectionId id, PeerConnection connection, SteadyTime deadline);
  void forget_connection(ConnectionId id);
  void close_connections(Allocation& allocation, std::optional<Family> family = {});
  std::size_t waiting_connections(const Allocation& allocation) const;
  std::size_t expire_connections(TimePoint now, std::size_t most, Output& out);

  // RFC 8016 (mobility.cpp).
  void on_move(Request& request, Output& out);
  Check check_ticket(const Request& request, const Ticket& ticket) const;
  void begin_move(Allocation& allocation, const Request& request, Output& out);
  const auth::Identity* find_arriving(const Request& request) const;
  Allocation* settle_move(const FiveTuple& tuple, const auth::Identity* sender, TimePoint now, Output& out);
  std::optional<FiveTuple> undo_move(Allocation& allocation);
  void cancel_move(Allocation& allocation, Output& out);
  void give_ticket(Allocation& allocation);
  void forget_mobility(Allocation& allocation, Output& out);

  // Answers.
  stun::MessageBuilder response(const Request& request, stun::Class message_class);
  void finish(const Request& request, stun::MessageBuilder& builder, Output& out);
  void succeed(const Request& request, Output& out);
  void reject(const Request& request, stun::ErrorCode error, Output& out);
  bool allow_answer(const Request& request);
  void tell_refused(const Request& request, stun::ErrorCode error, Output& out, bool answered = true) const;
  std::optional<Prefix> network_that_forbids(const Request& request) const;
  void reject_unknown(const Request& request, std::span<const stun::AttributeType> unknown, Output& out);

  // The books.
  Allocation* find(const FiveTuple& tuple);
  // Removes one that has expired.
  Allocation* find_current(const FiveTuple& tuple, TimePoint now, Output& out);
  // What came by this 5-tuple is proof that the client is there.
  Allocation* find_or_settle(const FiveTuple& tuple, TimePoint now, Output& out);
  Allocation* find(RelayId relay, TimePoint now);
  Allocation& add(std::unique_ptr<Allocation> allocation);
  void remove(Allocation& allocation, Output& out, bool was_too_old = false);
  void erase(Allocation& allocation, Output& out);
  void close_relay(Allocation& allocation, Family family);
  void wake_by(Allocation& allocation, SteadyTime deadline);

  const auth::CredentialStore& credentials_;
  const PeerPolicy* policy_;  // never null
  RelayPorts& ports_;
  Quota& quota_;
  Quota& connection_quota_;
  Limiters& limiters_;
  crypto::Random& random_;
  PeerConnections* connections_;
  const Params::Mobile mobile_;
  const AlternateParams* alternates_;
  const Limits limits_;
  const NatDiscoveries nat_discoveries_;
  const HashKey hash_key_;
  crypto::Digester digester_;
  auth::LongTermCheck long_term_;
  Counters counters_;

  struct ByDeadline {
    bool operator()(const Allocation& a, const Allocation& b) const { return a.deadline < b.deadline; }
  };
  boost::unordered_flat_map<FiveTuple, std::unique_ptr<Allocation>, KeyedHash> allocations_;
  std::vector<Allocation*> by_relay_;  // by RelayId; null where there is none
  boost::intrusive::multiset<Allocation, boost::intrusive::compare<ByDeadline>,
                             boost::intrusive::constant_time_size<false>>
      deadlines_;
  DiscardedPermissions discarded_;  // of allocations that are gone
  struct ReservationDeadline {
    SteadyTime at;
    stun::ReservationToken token{};
  };
  std::deque<ReservationDeadline> reservations_;                        // in order: each waits equally long
  std::map<Ticket, Allocation*> by_ticket_;                             // ordered: strangers may ask for any
  boost::unordered_flat_map<FiveTuple, Allocation*, KeyedHash> moves_;  // not yet settled, by the new path
  // By numbers that this process has drawn: no stranger chooses what stands here.
  boost::unordered_flat_map<ConnectionId, PeerConnection> peer_connections_;
  Deadlines<ConnectionId> connection_deadlines_;
  std::minstd_rand indication_ids_;
  std::array<std::uint8_t, 2048> scratch_{};  // where answers are written
};

}  // namespace turnpike::turn
