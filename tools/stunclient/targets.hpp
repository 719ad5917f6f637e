// Which servers a name stands for, in the order in which they are to be tried: RFC 5928 for TURN, RFC 8489
// §8.1 for STUN, RFC 5780 §5.1 for NAT discovery.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/crypto/random.hpp"

namespace turnpike::stunclient {

enum class Service : std::uint8_t { stun, stun_behavior, turn };

// What the user said, and no more.
struct ServerName {
  std::string host;
  std::optional<std::uint16_t> port;
  std::optional<Transport> transport;
  Service service = Service::stun;
};

struct Target {
  std::string host;  // a name with addresses, or an address
  std::uint16_t port = 0;
  Transport transport = Transport::udp;
};

// Asks DNS for SRV and NAPTR records where a domain is named without a port; a name of one label is this
// network's own and has none. Adds to `notes` what came of it where that may surprise. Empty where the domain
// says that it has no such service.
std::vector<Target> find_targets(const ServerName& server, crypto::Random& random,
                                 std::vector<std::string>& notes);

}  // namespace turnpike::stunclient
