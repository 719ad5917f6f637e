#include "turnpike/turn/peer_policy.hpp"

#include <algorithm>
#include <string_view>

namespace turnpike::turn {
namespace {

struct Rule {
  std::string_view address;
  std::uint8_t length;
  bool allowed = false;
};

// These rules apply when the operator's lists contain no longer or equal prefix. In IPv6, only global unicast
// is open.
constexpr Rule kDefaultRules[] = {
    {"0.0.0.0", 0, true},
    {"0.0.0.0", 8, false},         // this network
    {"10.0.0.0", 8, false},        // private
    {"100.64.0.0", 10, false},     // carrier-grade NAT
    {"127.0.0.0", 8, false},       // loopback
    {"169.254.0.0", 16, false},    // link-local, cloud metadata
    {"172.16.0.0", 12, false},     // private
    {"192.0.0.0", 24, false},      // protocol assignments
    {"192.0.2.0", 24, false},      // documentation
    {"192.88.99.0", 24, false},    // 6to4 relays
    {"192.168.0.0", 16, false},    // private
    {"198.18.0.0", 15, false},     // benchmarking
    {"198.51.100.0", 24, false},   // documentation
    {"203.0.113.0", 24, false},    // documentation
    {"224.0.0.0", 4, false},       // multicast
    {"240.0.0.0", 4, false},       // reserved, broadcast
    {"168.63.129.16", 32, false},  // cloud platform services at a public address
    {"::", 0, false},
    {"2000::", 3, true},  // global unicast
    // These are closed already. They are listed so that an operator who allows ::/0 does not open them, just
    // as 0.0.0.0/0 does not open 10.0.0.0/8.
    {"::", 8, false},            // loopback, and forms that contain an IPv4 address
    {"100::", 64, false},        // discard-only
    {"100:0:0:1::", 64, false},  // dummy prefix
    {"5f00::", 16, false},       // segment identifiers (SRv6)
    {"fc00::", 7, false},        // unique local
    {"fe80::", 10, false},       // link-local
    {"fec0::", 10, false},       // site-local (deprecated)
    {"2001::", 23, false},       // Teredo, ORCHID, benchmarking
    {"2001:db8::", 32, false},   // documentation
    {"2002::", 16, false},       // 6to4
    {"3fff::", 20, false},       // documentation
};

// These stay closed whatever the operator's lists say.
constexpr Rule kNeverPeers[] = {
    {"0.0.0.0", 32},          // unspecified
    {"224.0.0.0", 4},         // multicast
    {"255.255.255.255", 32},  // broadcast
    {"::", 96},               // unspecified and IPv4-compatible; ::1 follows the loopback rule
    {"::ffff:0:0", 96},       // IPv4-mapped
    {"64:ff9b::", 96},        // NAT64
    {"64:ff9b:1::", 48},      // local-use NAT64
    {"ff00::", 8},            // multicast
};

Prefix to_prefix(const Rule& rule) { return {*IpAddress::parse(rule.address), rule.length}; }

const std::vector<Prefix>& never_peers() {
  static const std::vector<Prefix> prefixes = [] {
    std::vector<Prefix> parsed;
    for (const Rule& rule : kNeverPeers) parsed.push_back(to_prefix(rule));
    return parsed;
  }();
  return prefixes;
}

bool is_never_a_peer(const IpAddress& address) {
  if (address.is_loopback()) return false;
  return std::ranges::any_of(never_peers(), [&](const Prefix& never) { return contains(never, address); });
}

std::uint8_t full_length(const IpAddress& address) { return address.is_v4() ? 32 : 128; }

// Returns whether the network of an interface consists of neighbours of this machine. A prefix shorter than
// /48 belongs to a whole provider, a /128 is this machine alone, and addresses outside global unicast are
// closed already.
bool is_neighbourhood(const Prefix& prefix) {
  constexpr std::uint8_t kMinLength = 48;
  static const Prefix global_unicast{*IpAddress::parse("2000::"), 3};
  return !prefix.address.is_v4() && prefix.length >= kMinLength && prefix.length < 128 &&
         contains(global_unicast, prefix.address);
}

// Returns the IPv4 address inside an ISATAP address (RFC 5214 §6.1). It follows the interface identifier
// 0:5efe, or 200:5efe for a global IPv4 address.
std::optional<IpAddress> isatap_address(const IpAddress& address) {
  if (address.is_v4()) return std::nullopt;
  const std::array<std::uint8_t, 16>& bytes = address.storage();
  const std::uint32_t identifier = load_u32(&bytes[8]);
  if (identifier != 0x00005efe && identifier != 0x02005efe) return std::nullopt;
  return IpAddress::v4(load_u32(&bytes[12]));
}

}  // namespace

PeerPolicy::PeerPolicy(Params params) : params_(std::move(params)) {
  add_local_spellings(params_.peers.allow);
  add_local_spellings(params_.peers.deny);
  for (const Rule& rule : kDefaultRules) rules_.insert(to_prefix(rule), rule.allowed);
  for (const Prefix& network : params_.networks) {
    if (!is_neighbourhood(network)) continue;
    rules_.insert(network, false);
    const auto names_it = [&](const std::vector<Prefix>& list) {
      return std::ranges::find(list, network) != list.end();
    };
    if (!names_it(params_.peers.allow) && !names_it(params_.peers.deny)) closed_networks_.push_back(network);
  }
  for (const Prefix& prefix : params_.peers.deny) rules_.insert(prefix, false);
  for (const Prefix& prefix : params_.peers.allow)
    rules_.insert(prefix, true);  // last, so that `allow` wins for the same prefix in both lists
  std::ranges::sort(params_.own_addresses);
}

// Peers are judged in their local form, so a list with an advertised address gets the local address as well.
void PeerPolicy::add_local_spellings(std::vector<Prefix>& prefixes) const {
  std::vector<Prefix> added;
  for (const auto& [local, advertised] : params_.advertised) {
    const Prefix exact{advertised, full_length(advertised)};
    if (std::ranges::find(prefixes, exact) != prefixes.end()) added.push_back({local, exact.length});
  }
  prefixes.insert(prefixes.end(), added.begin(), added.end());
}

// Returns whether the address contains a closed IPv4 address, which a host with an ISATAP tunnel would reach.
bool PeerPolicy::has_closed_form_inside(const IpAddress& peer) const {
  const std::optional<IpAddress> inside = isatap_address(peer);
  return inside && !opens_all_ports(judge(*inside));
}

std::optional<bool> PeerPolicy::exact_rule(const IpAddress& address) const {
  const Prefix exact{address, full_length(address)};
  if (std::ranges::find(params_.peers.allow, exact) != params_.peers.allow.end()) return true;
  if (std::ranges::find(params_.peers.deny, exact) != params_.peers.deny.end()) return false;
  return std::nullopt;
}

bool PeerPolicy::is_own(const IpAddress& address) const {
  return std::ranges::binary_search(params_.own_addresses, address);
}

Reach PeerPolicy::judge(const IpAddress& peer) const {
  if (is_never_a_peer(peer)) return Reach::denied;
  if (!peer.is_loopback() && is_own(peer)) {
    const std::optional<bool> exact = exact_rule(peer);
    if (!exact) return Reach::relays_only;
    return *exact ? Reach::own_allowed : Reach::denied;
  }
  if (has_closed_form_inside(peer) || !rules_.longest_match(peer)->value) return Reach::denied;
  return peer.is_loopback() ? Reach::own_allowed : Reach::allowed;
}

std::optional<Prefix> PeerPolicy::closed_network_of(const IpAddress& peer) const {
  if (closed_networks_.empty() || judge(peer) != Reach::denied || has_closed_form_inside(peer))
    return std::nullopt;
  const PrefixMap::Match match = *rules_.longest_match(peer);
  const auto decides = [&](const Prefix& network) {
    return network.length == match.length && contains(network, peer);
  };
  const auto found = std::ranges::find_if(closed_networks_, decides);
  return found == closed_networks_.end() ? std::nullopt : std::optional(*found);
}

bool PeerPolicy::is_listener(const Endpoint& peer, RelayedTransport transport) const {
  const auto& listeners = transport == RelayedTransport::udp ? params_.listeners : params_.tcp_listeners;
  return std::ranges::any_of(listeners, [&](const Endpoint& listener) {
    if (listener.port != peer.port || listener.family() != peer.family()) return false;
    if (!listener.address.is_unspecified()) return listener.address == peer.address;
    return peer.address.is_loopback() || is_own(peer.address);
  });
}

}  // namespace turnpike::turn
