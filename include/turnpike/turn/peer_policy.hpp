// Decides which peers a client may reach through a relay. By default only the public Internet is open. The
// operator's lists override the default, and the longest prefix decides.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/base/prefix_map.hpp"
#include "turnpike/turn/params.hpp"

namespace turnpike::turn {

// What a permission for an address allows.
enum class Reach : std::uint8_t {
  denied,
  allowed,
  // The address is one of this machine. A datagram may go only to a port that is a live relayed address here.
  relays_only,
  // An address of this machine. All its ports are open, not only those of live relayed addresses.
  own_allowed,
};

// Whether every port of the address is open.
constexpr bool opens_all_ports(Reach reach) { return reach == Reach::allowed || reach == Reach::own_allowed; }

// An immutable snapshot; safe to share between threads.
class PeerPolicy {
 public:
  struct Params {
    PeerParams peers;
    std::vector<IpAddress> own_addresses;  // addresses of this machine's interfaces
    // Our own listeners. An unspecified address means all addresses of its family.
    std::vector<Endpoint> listeners{};      // UDP
    std::vector<Endpoint> tcp_listeners{};  // TCP listeners of STUN, TURN, HTTP and all other services
    // Local addresses, with the addresses that clients see instead. Either form in `peers` means the local
    // address.
    std::map<IpAddress, IpAddress> advertised{};
    // The networks of this machine's interfaces. The IPv6 ones are closed by default, like the private
    // networks of IPv4: machines of an office may have global IPv6 addresses without a NAT in front of them.
    std::vector<Prefix> networks{};
  };

  explicit PeerPolicy(Params params);

  // Judges a peer address in its local form.
  Reach judge(const IpAddress& peer) const;

  // The networks in Params::networks that are closed by default. A network that is listed with exactly this
  // prefix is not among them.
  const std::vector<Prefix>& closed_networks() const { return closed_networks_; }
  // The network in closed_networks() that closes this peer. Nothing when the peer is open or closed for
  // another reason.
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
  PrefixMap rules_;  // contains a rule for every address
};

}  // namespace turnpike::turn
