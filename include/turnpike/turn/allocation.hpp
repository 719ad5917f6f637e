// An allocation and what belongs to it: relayed addresses, permissions, channel bindings and their lifetimes
// (RFC 8656 §3.2, §9, §12). Plain state; the server decides, this keeps the books.
#pragma once

#include <boost/container/flat_map.hpp>
#include <boost/container/static_vector.hpp>
#include <boost/intrusive/set_hook.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/keyed_hash.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/stun/channel_data.hpp"
#include "turnpike/turn/mobility.hpp"
#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/peer_policy.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

inline constexpr std::chrono::seconds kDefaultLifetime{600};     // RFC 8656 §3.2
inline constexpr std::chrono::seconds kPermissionLifetime{300};  // RFC 8656 §9
inline constexpr std::chrono::seconds kChannelLifetime{600};     // RFC 8656 §12
inline constexpr std::chrono::seconds kReservationLifetime{30};  // RFC 8656 §7.2

struct Permission {
  SteadyTime expiry;
  Reach reach = Reach::denied;
};

// A channel carries its permission's expiry and its relay, so that a relayed packet takes one look-up.
struct ChannelBinding {
  Endpoint peer;  // local form
  RelayId relay{};
  Reach reach = Reach::denied;
  SteadyTime expiry;
  SteadyTime permission_expiry;

  bool carries_data(SteadyTime now) const { return now < expiry && now < permission_expiry; }
};

// The permissions of an allocation, by peer address in its local form, and the channels, by number and by
// peer. An expired entry counts as absent; purge() removes it.
class PeerTable {
 public:
  // Clients choose the peers.
  explicit PeerTable(const HashKey& key) : permissions_(0, KeyedHash(key)) {}

  const Permission* find_permission(const IpAddress& peer, SteadyTime now) const;
  const ChannelBinding* find_channel(stun::ChannelNumber number) const;
  std::optional<stun::ChannelNumber> find_channel_number(const Endpoint& peer) const;

  // Both start or restart the lifetimes: a channel binding restarts its peer's permission as well (RFC 8656
  // §12.2).
  void permit(const IpAddress& peer, Reach reach, SteadyTime now);
  void bind(stun::ChannelNumber number, const Endpoint& peer, RelayId relay, Reach reach, SteadyTime now);

  // Removes what has expired, what belongs to a relay that is gone, or what `policy` does not allow.
  void purge(SteadyTime now);
  void remove_family(Family family);
  void judge_again(const PeerPolicy& policy);

  std::size_t permissions() const { return permissions_.size(); }
  std::size_t channels() const { return channels_.size(); }

  // When purge() will find something next; SteadyTime::max() when there is nothing.
  SteadyTime next_expiry() const;

 private:
  boost::unordered_flat_map<IpAddress, Permission, KeyedHash> permissions_;
  boost::container::flat_map<stun::ChannelNumber, ChannelBinding> channels_;
  boost::container::flat_map<Endpoint, stun::ChannelNumber> by_peer_;
};

// Ordered by `deadline` in the server's deadline queue, which is told before the deadline changes.
struct Allocation : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
  explicit Allocation(const HashKey& key) : peers(key) {}

  FiveTuple tuple;
  auth::Identity identity;
  QuotaSlot quota;
  RelayedTransport transport = RelayedTransport::udp;
  boost::container::static_vector<Relay, 2> relays;  // IPv4 first when there are two
  PeerTable peers;
  std::unique_ptr<Mobility> mobility;     // null for a client that stays where it is
  std::vector<ConnectionId> connections;  // with peers, by TCP
  SteadyTime expiry;
  SteadyTime deadline;  // never after the next thing that expires

  // What a retransmitted Allocate is answered with again (RFC 8656 §7.2).
  stun::TransactionId transaction_id{};
  std::chrono::seconds granted_lifetime{};
  std::optional<stun::ReservationToken> reservation;
  std::optional<std::pair<Family, stun::ErrorCode>> missing_family;

  const Relay* relay_for(Family family) const;
};

}  // namespace turnpike::turn
