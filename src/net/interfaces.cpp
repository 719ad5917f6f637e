#include "net/interfaces.hpp"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <functional>
#include <memory>
#include <system_error>

#include "net/socket_address.hpp"
#include "net/socket_calls.hpp"
#include "net/tcp_socket.hpp"
#include "net/udp_socket.hpp"

namespace turnpike::net {

namespace {

// Calls visit() for every address of every interface that is up.
void for_each_address(const std::function<void(const ifaddrs&)>& visit) {
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) throw std::system_error(errno, std::generic_category(), "getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(raw, &freeifaddrs);
  for (const ifaddrs* i = list.get(); i; i = i->ifa_next) {
    if (i->ifa_addr && (i->ifa_flags & IFF_UP) != 0) visit(*i);
  }
}

IpAddress ipv6_of(const sockaddr* address) {
  return from_in6_addr(reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
}

template <class Value>
void sort_each_once(std::vector<Value>& values) {
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

}  // namespace

std::vector<IpAddress> interface_addresses() {
  std::vector<IpAddress> addresses;
  for_each_address([&](const ifaddrs& entry) {
    if (entry.ifa_addr->sa_family == AF_INET) {
      addresses.push_back(from_in_addr(reinterpret_cast<const sockaddr_in*>(entry.ifa_addr)->sin_addr));
    } else if (entry.ifa_addr->sa_family == AF_INET6) {
      addresses.push_back(ipv6_of(entry.ifa_addr));
    }
  });
  return addresses;
}

std::vector<Prefix> interface_networks() {
  std::vector<Prefix> networks;
  for_each_address([&](const ifaddrs& entry) {
    if (entry.ifa_addr->sa_family != AF_INET6 || !entry.ifa_netmask) return;
    std::array<std::uint8_t, 16> block = ipv6_of(entry.ifa_addr).storage();
    const std::array<std::uint8_t, 16> mask = ipv6_of(entry.ifa_netmask).storage();
    int length = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
      block[i] &= mask[i];
      length += std::popcount(mask[i]);
    }
    networks.push_back({IpAddress::v6(block), static_cast<std::uint8_t>(length)});
  });
  return networks;
}

std::optional<IpAddress> default_route_source(Family family) {
  // To connect a UDP socket only looks up the route. The targets are public addresses of root name servers.
  const SocketAddress target(
      *Endpoint::parse(family == Family::ipv4 ? "198.41.0.4:53" : "[2001:503:ba3e::2:30]:53"));
  const Fd fd(socket(target.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd && errno != EAFNOSUPPORT) throw std::system_error(errno, std::generic_category(), "socket");
  if (!fd || connect(fd.get(), &target.any, target.size()) != 0) return std::nullopt;
  // Without another address, such as during the start of the machine, the kernel would use a link-local one
  // of IPv6, which nobody beyond the link can answer.
  const IpAddress source = local_endpoint(fd.get()).address;
  return !source.is_v4() && source.is_link_local() ? std::nullopt : std::optional(source);
}

LocalAddresses local_addresses() {
  LocalAddresses now{interface_addresses(), default_route_source(Family::ipv4),
                     default_route_source(Family::ipv6), interface_networks()};
  sort_each_once(now.all);
  sort_each_once(now.networks);
  return now;
}

bool is_local_address(const IpAddress& address) {
  const Fd fd = open_socket(address.family(), SOCK_DGRAM);
  return (fd && bind_socket(fd.get(), {address, 0})) || is_exhaustion(errno);
}

}  // namespace turnpike::net
