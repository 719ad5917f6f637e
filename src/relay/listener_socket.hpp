// The UDP socket of one worker for a listener. A dtls:// listener receives only DTLS; a udp:// listener
// receives DTLS too when there is a certificate.
#pragma once

#include "net/datagrams.hpp"
#include "net/fd.hpp"
#include "relay/balancers.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::relay {

struct ListenerSocket {
  net::Fd socket;
  Endpoint endpoint;  // an unspecified address for a wildcard listener
  Transport transport = Transport::udp;
  Balancers balancers{};  // see ProxiedClients

  bool is_behind_balancers() const { return !balancers.addresses.empty(); }
  bool is_wildcard() const { return endpoint.address.is_unspecified(); }
  // The server's address as the sender of `datagram` sees it.
  Endpoint reached_by(const net::ReceivedDatagram& datagram) const {
    return {is_wildcard() ? datagram.to : endpoint.address, endpoint.port};
  }
  // The source address that a datagram to a client of `server` must name; unspecified when the socket is
  // bound to that address already.
  IpAddress source(const Endpoint& server) const { return is_wildcard() ? server.address : IpAddress(); }
};

}  // namespace turnpike::relay
