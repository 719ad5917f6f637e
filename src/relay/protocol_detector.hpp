// The beginning of a TCP connection, as far as it has to be seen before somebody can serve it: whose it is,
// where a load balancer stands in front, and what it speaks, where one port is for all. Nothing of the
// client's own is taken from the socket. Where there is a web server behind the listener, the name that the
// client asks for decides whether the connection is ours.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "relay/web_server.hpp"
#include "turnpike/base/bytes.hpp"
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
    web,   // TLS or HTTP, and it asks for a name that is not ours
  };

  // `behind_proxy`: a header of the PROXY protocol comes first. `known`: what follows is tcp or tls; where it
  // is not known, its first octet tells. `is_ours` is null where there is no web server behind; it outlives
  // this.
  ProtocolDetector(bool behind_proxy, std::optional<Transport> known, const IsOurs* is_ours = nullptr)
      : has_header_(behind_proxy), known_(known), is_ours_(is_ours) {}

  // Whenever there is something to read; `at_end` when the client has said that nothing follows. After
  // another verdict than wait there is no more to ask.
  Verdict read(int fd, bool at_end);

  // Whom the load balancer speaks for; nothing where it speaks for itself, or where there is none.
  const std::optional<Endpoint>& client() const { return client_; }

 private:
  Verdict read_header(int fd);
  Verdict read_name(int fd, Verdict protocol, bool at_end);
  Verdict wait_for(int fd, std::size_t octets, bool at_end);

  bool has_header_;
  std::optional<Transport> known_;
  const IsOurs* is_ours_;
  std::size_t seen_ = 0;              // how much of what the client says has been looked at for a name
  std::vector<std::uint8_t> header_;  // as far as it is there
  std::optional<Endpoint> client_;
};

// Whether a client whose first octet this is speaks HTTP: it is a letter of a method. ChannelData may have
// the same ones, but never at the beginning, before there is a channel.
constexpr bool begins_http(std::uint8_t first) { return first >= 'A' && first <= 'Z'; }

}  // namespace turnpike::relay
