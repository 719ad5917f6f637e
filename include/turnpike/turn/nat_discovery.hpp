// NAT behaviour discovery (RFC 5780 §6). A server answers from four transport addresses, so that a client can
// see which of them its NAT treats as the same peer. This class only computes the addresses; it opens and
// sends nothing.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/stun/attributes.hpp"

namespace turnpike::turn {

// Two addresses of one family with two ports each, by UDP or by TCP. Immutable, and the same on every worker.
class NatDiscovery {
 public:
  struct Params {
    Transport transport = Transport::udp;
    // A1:P1, the address that clients normally come to. If its listener is a wildcard, then A1 is the address
    // that the client came to; this value is used only for a client that came to A2.
    Endpoint primary;
    Endpoint alternate;  // A2:P2
    // The numbers of the UDP listeners: first at A1:P1 and A1:P2, then at A2:P1 and A2:P2. A wildcard
    // listener appears twice.
    std::array<std::array<std::uint32_t, 2>, 2> listeners{};
    bool wildcard = false;
  };

  // The address that an answer is sent from.
  struct Origin {
    Endpoint local;
    std::uint32_t listener = 0;  // number of the UDP listener; not used for TCP
  };

  explicit NatDiscovery(const Params& params) : params_(params) {}

  // Whether a request to this server address takes part in NAT discovery.
  bool includes(const FiveTuple& tuple) const;
  // Whether this server address is open only for NAT discovery.
  bool is_only_for_discovery(const FiveTuple& tuple) const;

  // The source address of the answer (RFC 5780 §6.1, table 1). The request must take part.
  Origin origin(const FiveTuple& tuple, const stun::ChangeRequest& change) const;

 private:
  Params params_;
};

// One at most for each family and transport.
using NatDiscoveries = std::vector<NatDiscovery>;

}  // namespace turnpike::turn
