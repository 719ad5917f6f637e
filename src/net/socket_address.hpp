// Converts endpoints to the structures of the socket calls, and back.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::net {

// Large enough for both families, and smaller than sockaddr_storage, because arrays of them are filled for
// every batch.
union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;

  SocketAddress() : v6{} {}
  explicit SocketAddress(const Endpoint& endpoint) { *this = endpoint; }
  SocketAddress& operator=(const Endpoint& endpoint);

  socklen_t size() const { return any.sa_family == AF_INET ? sizeof v4 : sizeof v6; }
  Endpoint endpoint() const;
};

IpAddress from_in_addr(const in_addr& address);
IpAddress from_in6_addr(const in6_addr& address);
in_addr to_in_addr(const IpAddress& address);
in6_addr to_in6_addr(const IpAddress& address);

}  // namespace turnpike::net
