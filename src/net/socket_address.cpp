#include "net/socket_address.hpp"

#include <cstring>

namespace turnpike::net {

IpAddress from_in_addr(const in_addr& address) {
  return IpAddress::from_bytes(Family::ipv4,
                               {reinterpret_cast<const std::uint8_t*>(&address), sizeof address});
}

IpAddress from_in6_addr(const in6_addr& address) {
  return IpAddress::from_bytes(Family::ipv6, address.s6_addr);
}

in_addr to_in_addr(const IpAddress& address) {
  in_addr raw;
  std::memcpy(&raw, address.storage().data(), sizeof raw);
  return raw;
}

in6_addr to_in6_addr(const IpAddress& address) {
  in6_addr raw;
  std::memcpy(&raw, address.storage().data(), sizeof raw);
  return raw;
}

SocketAddress& SocketAddress::operator=(const Endpoint& endpoint) {
  if (endpoint.address.is_v4()) {
    v4 = {AF_INET, htons(endpoint.port), to_in_addr(endpoint.address), {}};
  } else {
    v6 = {AF_INET6, htons(endpoint.port), 0, to_in6_addr(endpoint.address), endpoint.scope};
  }
  return *this;
}

Endpoint SocketAddress::endpoint() const {
  if (any.sa_family == AF_INET) return {from_in_addr(v4.sin_addr), ntohs(v4.sin_port)};
  const IpAddress address = from_in6_addr(v6.sin6_addr);
  return {address, ntohs(v6.sin6_port), address.is_link_local() ? v6.sin6_scope_id : 0};
}

}  // namespace turnpike::net
