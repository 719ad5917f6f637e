// Whom a client may reach through a relay. The default refuses everything that is not the public Internet;
// the operator's lists override it, the longest prefix first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix_map.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::turn {

// What a permission for an address is worth.
enum class Reach : std::uint8_t {
  denied,
  allowed,
  // An address of this machine: each datagram goes only to a port that is a live relayed address here.
  relays_only,
};

// An immutable snapshot; safe to share between threads.
class PeerPolicy {
 public:
  struct Params {
    PeerParams peers;
    std::vector<IpAddress> own_addresses;  // of this machine's interfaces
    // Our own; an unspecified address stands for all of its family.
    std::vector<Endpoint> listeners{};      // by UDP
    std::vector<Endpoint> tcp_listeners{};  // STUN and TURN, HTTP and whatever else
    // Local addresses, and the addresses that are advertised to clients instead. In `peers` either of the two
    // means the address here.
    std::map<IpAddress, IpAddress> advertised{};
    // The blocks that this machine's interface addresses lie in. Of IPv6 they are closed by default, as the
    // private blocks of IPv4 are: the machines of an office have global addresses there, and no NAT in front
    // of them.
    std::vector<Prefix> networks{};
  };

  explicit PeerPolicy(Params params);

  // `peer` is in its local form.
  Reach judge(const IpAddress& peer) const;

  // Those of Params::networks that are closed, since no list of the operator has just this prefix.
  const std::vector<Prefix>& closed_networks() const { return closed_networks_; }
  // The closed network that keeps this peer out of reach. Nothing when the reason is another one.
  std::optional<Prefix> closed_network_of(const IpAddress& peer) const;

  // Whether this is one of our own listeners, which no rule opens.
  bool is_listener(const Endpoint& peer, RelayedTransport transport = RelayedTransport::udp) const;

 private:
  void add_local_spellings(std::vector<Prefix>& prefixes) const;
  bool has_closed_form_inside(const IpAddress& peer) const;
  std::optional<bool> exact_rule(const IpAddress& address) const;
  bool is_own(const IpAddress& address) const;

  Params params_;
  std::vector<Prefix> closed_networks_;
  PrefixMap rules_;  // has every address
};

}  // namespace turnpike::turn
