#include "daemon/address_warnings.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "net/udp_socket.hpp"

namespace turnpike::daemon {

void AddressWarnings::warn_about_alternates(const std::vector<Endpoint>& alternates) const {
  for (const Endpoint& alternate : alternates) {
    if (relays_.is_public_to_clients(alternate.address) || alternate.address.is_loopback()) continue;
    spdlog::warn(fmt::format(
        "{} is not reachable from the Internet: behind a NAT, name its public address in relay.advertise",
        alternate.address.to_string()));
  }
}

void AddressWarnings::warn_about_absent_addresses() {
  const std::vector<std::string> absent = relays_.absent_locals();
  for (const std::string& sentence : absent) {
    if (std::ranges::find(absent_, sentence) == absent_.end()) spdlog::warn(sentence);
  }
  absent_ = absent;
}

void AddressWarnings::name_closed_networks(const turn::PeerPolicy& policy) {
  for (const Prefix& network : policy.closed_networks()) {
    if (!named_networks_.insert(network).second) continue;
    spdlog::info(
        fmt::format("{} is a network of this machine: clients cannot reach it through the relay unless "
                    "peers.allow has it",
                    to_string(network)));
  }
}

void AddressWarnings::warn_about_relay_addresses() {
  for (const IpAddress& address : relays_.private_without_advertisement()) {
    if (address.is_loopback() || !warned_about_.insert(address).second) continue;
    spdlog::warn(fmt::format(
        "relayed addresses on {} are not reachable from the Internet: behind a NAT, name its public address "
        "in relay.advertise",
        address.to_string()));
  }
}

void AddressWarnings::warn_about_receive_buffer() const {
  const std::uint32_t granted = net::granted_receive_buffer(relays_.receive_buffer());
  if (granted >= relays_.receive_buffer()) return;
  spdlog::warn(fmt::format("relay.receive_buffer: the kernel granted {} of {} KiB: raise net.core.rmem_max",
                           granted >> 10, relays_.receive_buffer() >> 10));
}

}  // namespace turnpike::daemon
