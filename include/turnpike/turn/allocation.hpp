// An allocation and what belongs to it: relayed addresses, peers and their lifetimes (RFC 8656 §3.2). Plain
// state; the server decides, this keeps the books.
#pragma once

#include <boost/container/static_vector.hpp>
#include <boost/intrusive/set_hook.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "turnpike/auth/long_term.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/time.hpp"
#include "turnpike/stun/attributes.hpp"
#include "turnpike/turn/mobility.hpp"
#include "turnpike/turn/peer_connections.hpp"
#include "turnpike/turn/peer_table.hpp"
#include "turnpike/turn/quota.hpp"
#include "turnpike/turn/relay_ports.hpp"

namespace turnpike::turn {

inline constexpr std::chrono::seconds kDefaultLifetime{600};     // RFC 8656 §3.2
inline constexpr std::chrono::seconds kReservationLifetime{30};  // RFC 8656 §7.2

// Ordered by `deadline` in the server's deadline queue, which is told before the deadline changes.
struct Allocation : boost::intrusive::set_base_hook<boost::intrusive::optimize_size<true>> {
  FiveTuple tuple;
  auth::Identity identity;
  QuotaSlot quota;
  RelayedTransport transport = RelayedTransport::udp;
  boost::container::static_vector<Relay, 2> relays;  // IPv4 first when there are two
  PeerTable peers;
  std::unique_ptr<Mobility> mobility;         // null for a client that stays where it is
  std::vector<ConnectionId> connections;      // with peers, by TCP
  SteadyTime expiry;                          // never after `latest_end`
  SteadyTime latest_end = SteadyTime::max();  // of limits.allocation_age
  SteadyTime deadline;                        // never after the next thing that expires

  // What a retransmitted Allocate is answered with again (RFC 8656 §7.2).
  stun::TransactionId transaction_id{};
  std::chrono::seconds granted_lifetime{};
  std::optional<stun::ReservationToken> reservation;
  std::optional<std::pair<Family, stun::ErrorCode>> missing_family;

  const Relay* relay_for(Family family) const;
};

}  // namespace turnpike::turn
