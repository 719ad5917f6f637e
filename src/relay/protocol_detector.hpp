// The beginning of a TCP connection, as far as it has to be seen before somebody can serve it: whose it is,
// where a load balancer stands in front, and what it speaks, where one port is for all. Nothing of the
// client's own is taken from the socket.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "turnpike/base/endpoint.hpp"

namespace turnpike::relay {

class ProtocolDetector {
 public:
  enum class Verdict : std::uint8_t {
    wait,    // for more to be there
    broken,  // it has ended, or is nothing that can be served here
    turn,    // STUN or TURN without TLS
    tls,
    http,  // without TLS
  };

  // `behind_proxy`: a header of the PROXY protocol comes first. `known`: what follows is tcp or tls; where it
  // is not known, its first octet tells.
  ProtocolDetector(bool behind_proxy, std::optional<Transport> known)
      : has_header_(behind_proxy), known_(known) {}

  // Whenever there is something to read. After another verdict than wait there is no more to ask.
  Verdict read(int fd);

  // Whom the load balancer speaks for; nothing where it speaks for itself, or where there is none.
  const std::optional<Endpoint>& client() const { return client_; }

 private:
  Verdict read_header(int fd);

  bool has_header_;
  std::optional<Transport> known_;
  std::vector<std::uint8_t> header_;  // as far as it is there
  std::optional<Endpoint> client_;
};

// Whether a client whose first octet this is speaks HTTP: it is a letter of a method. ChannelData may have
// the same ones, but never at the beginning, before there is a channel.
constexpr bool begins_http(std::uint8_t first) { return first >= 'A' && first <= 'Z'; }

}  // namespace turnpike::relay
