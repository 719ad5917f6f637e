// NAT behaviour discovery (RFC 5780 §6): the four transport addresses that a server answers from, so that a
// client can see which of them its NAT takes for the same peer. Only tells which; opens and sends nothing.
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
    // A1:P1, where clients come to. Where its listener is a wildcard, A1 is the address that a client of A2
    // is told of; whoever comes to any other address has that one for A1.
    Endpoint primary;
    Endpoint alternate;  // A2:P2
    // The numbers of the UDP listeners: at A1:P1 and A1:P2, at A2:P1 and A2:P2. A wildcard's stands there
    // twice.
    std::array<std::array<std::uint32_t, 2>, 2> listeners{};
    bool wildcard = false;
  };

  // Where an answer leaves from.
  struct Origin {
    Endpoint local;
    std::uint32_t listener = 0;  // by TCP of no meaning
  };

  explicit NatDiscovery(const Params& params) : params_(params) {}

  // Whether requests that come to this server address take part.
  bool includes(const FiveTuple& tuple) const;
  // Whether that one is there for the discovery alone.
  bool opened(const FiveTuple& tuple) const;

  // RFC 5780 §6.1, table 1, for a request that takes part.
  Origin origin(const FiveTuple& tuple, const stun::ChangeRequest& change) const;

 private:
  Params params_;
};

// For each family and transport one at most.
using NatDiscoveries = std::vector<NatDiscovery>;

}  // namespace turnpike::turn
