// NAT behaviour discovery (RFC 5780 §6): the four transport addresses that a server answers from, so that a
// client can see which of them its NAT takes for the same peer. This only says which; it opens and sends
// nothing.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::turn {

// Two addresses of one family with two ports on each, by UDP or by TCP. Immutable; the same on every worker.
class NatDiscovery {
 public:
  struct Params {
    Transport transport = Transport::udp;
    // A1:P1, where clients come to. Where its listener is a wildcard, this A1 is only advertised to clients
    // that came to A2; for a client that came to any other address, that address is A1.
    Endpoint primary;
    Endpoint alternate;  // A2:P2
    // The numbers of the UDP listeners: at A1:P1 and A1:P2, at A2:P1 and A2:P2. The number of a wildcard
    // listener stands there twice.
    std::array<std::array<std::uint32_t, 2>, 2> listeners{};
    bool wildcard = false;
  };

  // The address that an answer leaves from.
  struct Origin {
    Endpoint local;
    std::uint32_t listener = 0;  // of UDP; has no meaning with TCP
  };

  explicit NatDiscovery(const Params& params) : params_(params) {}

  // Whether requests that come to this server address take part.
  bool includes(const FiveTuple& tuple) const;
  // Whether that server address is open for NAT discovery alone.
  bool opened(const FiveTuple& tuple) const;

  // RFC 5780 §6.1, table 1, for a request that takes part.
  Origin origin(const FiveTuple& tuple, const stun::ChangeRequest& change) const;

 private:
  Params params_;
};

// There is at most one for each family and transport.
using NatDiscoveries = std::vector<NatDiscovery>;

}  // namespace turnpike::turn
