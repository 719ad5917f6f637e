// HAProxy's PROXY protocol, versions 1 and 2: a load balancer writes a header in front of a client's stream
// or datagram, which names the client's address. The parsers keep no state; the caller decides which senders
// may write such a header. make_proxy_header() writes one for connections that we pass on.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::net {

// The limit for version 2, including its optional fields; version 1 is much shorter.
inline constexpr std::size_t kMaxProxyHeaderSize = 16 + 4096;

struct ProxyHeader {
  enum class Kind : std::uint8_t {
    incomplete,  // read more and call again
    local,       // the balancer's own connection, or one of an unnamed client
    proxied,     // a connection of `client`
    invalid,     // not this protocol, or too long
  };

  Kind kind = Kind::incomplete;
  Endpoint client{};     // for proxied; an IPv4-mapped address is converted to IPv4
  std::size_t size = 0;  // for local and proxied: the offset of the client's own octets
};

// Looks at the first octets of a stream. A result other than `incomplete` is final.
ProxyHeader parse_proxy_header(Bytes received);

// Finds the header of a datagram; it is whole or invalid. Returns nothing when the datagram does not begin
// with a header. STUN, ChannelData and DTLS never begin like one. Version 1 has no word for UDP, so nginx
// writes TCP4 and TCP6 for datagrams too.
std::optional<ProxyHeader> find_proxy_header(Bytes datagram);

// Makes a version 2 header for a TCP connection from `client` to `server`. When only one of the two is IPv4,
// it is written as an IPv4-mapped IPv6 address.
std::vector<std::uint8_t> make_proxy_header(const Endpoint& client, const Endpoint& server);

}  // namespace turnpike::net
