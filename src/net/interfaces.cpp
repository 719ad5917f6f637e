#include "net/interfaces.hpp"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "net/socket_address.hpp"
#include "net/udp_socket.hpp"

namespace turnpike::net {

std::vector<IpAddress> interface_addresses() {
  ifaddrs* raw = nullptr;
  if (getifaddrs(&raw) != 0) throw std::system_error(errno, std::generic_category(), "getifaddrs");
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(raw, &freeifaddrs);
  std::vector<IpAddress> addresses;
  for (const ifaddrs* i = list.get(); i; i = i->ifa_next) {
    if (!i->ifa_addr || (i->ifa_flags & IFF_UP) == 0) continue;
    if (i->ifa_addr->sa_family == AF_INET) {
      addresses.push_back(from_in_addr(reinterpret_cast<const sockaddr_in*>(i->ifa_addr)->sin_addr));
    } else if (i->ifa_addr->sa_family == AF_INET6) {
      addresses.push_back(from_in6_addr(reinterpret_cast<const sockaddr_in6*>(i->ifa_addr)->sin6_addr));
    }
  }
  return addresses;
}

std::optional<IpAddress> default_route_source(Family family) {
  // Connecting a UDP socket only looks up the route. The targets are public addresses of root name servers.
  const SocketAddress target(
      *Endpoint::parse(family == Family::ipv4 ? "198.41.0.4:53" : "[2001:503:ba3e::2:30]:53"));
  const Fd fd(socket(target.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd && errno != EAFNOSUPPORT) throw std::system_error(errno, std::generic_category(), "socket");
  if (!fd || connect(fd.get(), &target.any, target.size()) != 0) return std::nullopt;
  return local_endpoint(fd.get()).address;
}

LocalAddresses local_addresses() {
  LocalAddresses now{interface_addresses(), default_route_source(Family::ipv4),
                     default_route_source(Family::ipv6)};
  std::ranges::sort(now.all);
  now.all.erase(std::unique(now.all.begin(), now.all.end()), now.all.end());
  return now;
}

bool is_local_address(const IpAddress& address) { return open_udp_relay({address, 0}).has_value(); }

}  // namespace turnpike::net
