// The STUN and TURN server of one worker, as a state machine: bytes and the time go in, datagrams to send
// come out. It opens no socket, reads no clock and starts no thread, so a test plays a whole day of it in a
// millisecond.
#pragma once

#include <boost/intrusive/set.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "turnpike/auth/credentials.hpp"
#include "turnpike/auth/long_term.hpp"
#include "turnpike/auth/nonce.hpp"
#include "turnpike/base/address_limiter.hpp"
#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/crypto/digest.hpp"
#include "turnpike/crypto/random.hpp"
#include "turnpike/stun/message.hpp"
#include "turnpike/stun/message_builder.hpp"
#include "turnpike/turn/allocation.hpp"
#include "turnpike/turn/output.hpp"
#include "turnpike/turn/params.hpp"
#include "turnpike/turn/peer_policy.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

// What happened so far, for metrics. Each is a number of messages but for the bytes.
struct Counters {
  std::uint64_t client_malformed = 0;   // neither STUN nor ChannelData, or broken
  std::uint64_t client_unexpected = 0;  // of a class or method that a server does not take
  std::uint64_t requests = 0;
  std::uint64_t refusals = 0;          // answered with an error
  std::uint64_t answers_withheld = 0;  // the source had used up its unauthenticated answers
  std::uint64_t to_peer = 0;
  std::uint64_t to_peer_bytes = 0;
  std::uint64_t to_peer_refused = 0;  // no allocation, channel or permission
  std::uint64_t to_client = 0;
  std::uint64_t to_client_bytes = 0;
  std::uint64_t to_client_refused = 0;  // no permission
  std::uint64_t allocations_created = 0;
  std::uint64_t allocations_deleted = 0;
};

// Belongs to one worker and its thread.
class Server {
 public:
  // All references outlive the server; quota and limiter are shared with the other workers.
  struct Params {
    const auth::CredentialStore& credentials;
    const PeerPolicy& policy;
    RelayPorts& ports;
    Quota& quota;
    AddressLimiter& limiter;
    crypto::Random& random;
    Limits limits;
    auth::Nonces::MasterKey nonce_key{};  // the same on every worker
    Duration nonce_lifetime = std::chrono::seconds(600);
  };

  explicit Server(const Params& params);
  ~Server();

  // A datagram from a client, or one message of its stream. Valid until `out` was carried out.
  void on_client(const FiveTuple& tuple, Bytes message, TimePoint now, Output& out);

  // The connection of a stream client is gone, and its allocation ends with it: nobody can come back to this
  // 5-tuple.
  void on_client_closed(const FiveTuple& tuple, TimePoint now, Output& out);

  // A datagram from a peer to a relayed address.
  void on_peer(RelayId relay, const Endpoint& from, Bytes payload, TimePoint now, Output& out);

  // An ICMP error for a datagram that went from a relayed address to `peer` (RFC 8656 §11.5).
  void on_icmp(RelayId relay, const Endpoint& peer, const stun::Icmp& icmp, TimePoint now, Output& out);

  // To be called at next_deadline() or later; removes what has expired.
  void on_timeout(TimePoint now, Output& out);
  // SteadyTime::max() when nothing is waiting.
  SteadyTime next_deadline() const;

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
  void on_binding(const Request& request, Output& out);
  void on_authenticated(Request& request, Output& out);
  void on_allocate(Request& request, Output& out);
  void on_refresh(Request& request, Output& out);
  void on_create_permission(Request& request, Output& out);
  void on_channel_bind(Request& request, Output& out);

  // Allocate, step by step (allocate.cpp).
  struct Wish;
  Check check_credential_expiry(const Request& request) const;
  Check check_transport(const Request& request) const;
  Check read_wish(const Request& request, Wish& wish) const;
  Check open_relays(const Request& request, Wish& wish, Allocation& allocation);
  Check open_relay(const Request& request, Wish& wish, Family family, Allocation& allocation);
  void answer_allocate(const Request& request, const Allocation& allocation, Output& out);
  std::chrono::seconds granted_lifetime(const Request& request) const;

  // CreatePermission and ChannelBind (permissions.cpp).
  struct Peer;
  Check read_peer(const Request& request, Bytes value, Peer& peer) const;
  static bool speaks_rfc5766(const Request& request);
  Check check_channel(const Request& request, stun::ChannelNumber number, const Endpoint& peer) const;

  // Answers.
  stun::MessageBuilder response(const Request& request, stun::Class message_class);
  void finish(const Request& request, stun::MessageBuilder& builder, Output& out);
  void succeed(const Request& request, Output& out);
  void reject(const Request& request, stun::ErrorCode error, Output& out);
  void reject_unknown(const Request& request, std::span<const stun::AttributeType> unknown, Output& out);

  // The books.
  Allocation* find(const FiveTuple& tuple);
  Allocation* find(RelayId relay);
  void add(std::unique_ptr<Allocation> allocation, Output& out);
  void remove(Allocation& allocation, Output& out);
  void close_relay(Allocation& allocation, Family family);
  void wake_by(Allocation& allocation, SteadyTime deadline);

  const auth::CredentialStore& credentials_;
  const PeerPolicy& policy_;
  RelayPorts& ports_;
  Quota& quota_;
  AddressLimiter& limiter_;
  crypto::Random& random_;
  const Limits limits_;
  crypto::Digester digester_;
  auth::LongTermCheck long_term_;
  Counters counters_;

  struct ByDeadline {
    bool operator()(const Allocation& a, const Allocation& b) const { return a.deadline < b.deadline; }
  };
  boost::unordered_flat_map<FiveTuple, std::unique_ptr<Allocation>> allocations_;
  std::vector<Allocation*> by_relay_;  // by RelayId; null where there is none
  boost::intrusive::multiset<Allocation, boost::intrusive::compare<ByDeadline>,
                             boost::intrusive::constant_time_size<false>>
      deadlines_;
  struct ReservationDeadline {
    SteadyTime at;
    stun::ReservationToken token{};
  };
  std::deque<ReservationDeadline> reservations_;  // in order: each waits equally long
  std::minstd_rand indication_ids_;
  std::array<std::uint8_t, 1500> scratch_{};  // where answers are written
};

}  // namespace turnpike::turn
