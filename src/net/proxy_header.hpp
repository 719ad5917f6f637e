// What a load balancer writes in front of a client's stream or datagrams to say whose they are: HAProxy's
// PROXY protocol, versions 1 and 2. It looks and never buffers; who may write it is the caller's to know. We
// write it too, where we pass a connection on.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "turnpike/base/bytes.hpp"
#include "turnpike/base/endpoint.hpp"

namespace turnpike::net {

// Of version 2 with room for what it may say besides addresses; version 1 is much shorter.
inline constexpr std::size_t kMaxProxyHeaderSize = 16 + 4096;

struct ProxyHeader {
  enum class Kind : std::uint8_t {
    incomplete,  // read on and ask again
    local,       // the balancer speaks for itself, or does not say for whom
    proxied,     // it speaks for `client`
    invalid,     // not this protocol, or longer than it may be
  };

  Kind kind = Kind::incomplete;
  Endpoint client{};     // of proxied; an IPv4-mapped address as the IPv4 address that it is
  std::size_t size = 0;  // of local and proxied: where the client's own bytes begin
};

// Looks at the first bytes of a stream. A verdict stands, whatever follows.
ProxyHeader parse_proxy_header(Bytes received);

// The header of a datagram, which is whole or invalid; nothing where it begins as none does. STUN,
// ChannelData and DTLS never begin so. Version 1 has no word for UDP: nginx writes TCP4 and TCP6 all the
// same.
std::optional<ProxyHeader> find_proxy_header(Bytes datagram);

// A header of version 2 for a TCP connection of `client`, which it made to `server`. Where one of the two is
// IPv4 alone, it is written as the IPv4-mapped address that it has in IPv6.
std::vector<std::uint8_t> make_proxy_header(const Endpoint& client, const Endpoint& server);

}  // namespace turnpike::net
