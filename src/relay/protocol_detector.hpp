// Examines the beginning of a TCP connection to decide who serves it: it finds the client behind a load
// balancer, and the protocol when one port is for several. It does not take the octets of the client from the
// socket. When a web server is behind the listener, the name that the client asks for decides whether the
// connection is ours.
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
    wait,    // more octets are needed
    broken,  // it has ended, or speaks no protocol that is served here
    turn,    // STUN or TURN without TLS
    tls,
    http,  // without TLS
    web,   // TLS or HTTP, and it asks for a name that is not ours
  };

  // When `behind_proxy` is true, a header of the PROXY protocol comes first. `known` is tcp or tls; when it
  // is empty, the first octet of the client shows the protocol. `is_ours` is null when there is no web
  // server; otherwise it must outlive this object.
  ProtocolDetector(bool behind_proxy, std::optional<Transport> known, const IsOurs* is_ours = nullptr)
      : has_header_(behind_proxy), known_(known), is_ours_(is_ours) {}

  // Call this whenever the socket is readable. `at_end` is true when the client has closed its side. Do not
  // call it again after a verdict other than `wait`.
  Verdict read(int fd, bool at_end);

  // The client that the load balancer has named. Nothing when the connection is of the balancer itself, or
  // when there is no balancer.
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

// Whether `first`, the first octet of a client, begins an HTTP method. ChannelData can begin with the same
// octets, but no connection begins with ChannelData, since a channel must be bound first.
constexpr bool begins_http(std::uint8_t first) { return first >= 'A' && first <= 'Z'; }

}  // namespace turnpike::relay
