// What an operator has to know about the addresses of this machine, such as relayed addresses that are not
// reachable from the Internet. This class remembers what it has written, so that a change of the addresses
// does not repeat it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "relay/relay_sockets.hpp"
#include "turnpike/base/endpoint.hpp"
#include "turnpike/turn/peer_policy.hpp"

namespace turnpike::daemon {

class AddressWarnings {
 public:
  // `relays` must outlive this object.
  explicit AddressWarnings(const relay::RelayPool& relays) : relays_(relays) {}

  // Warns about alternate addresses (RFC 5780) that clients on the Internet cannot reach.
  void warn_about_alternates(const std::vector<Endpoint>& alternates) const;
  // Warns once about each relayed address that clients on the Internet cannot reach.
  void warn_about_relay_addresses();
  void warn_about_receive_buffer() const;
  // Warns once about each missing address, and again only if it has been present in between.
  void warn_about_absent_addresses();
  // Names once each network of this machine that the policy closes.
  void name_closed_networks(const turn::PeerPolicy& policy);

 private:
  const relay::RelayPool& relays_;
  std::set<IpAddress> warned_about_;
  std::vector<std::string> absent_;  // absent addresses that a warning was written about
  std::set<Prefix> named_networks_;
};

}  // namespace turnpike::daemon
