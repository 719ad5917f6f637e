// Finds the servers of a name, in the order in which to try them: RFC 5928 for TURN, RFC 8489 §8.1 for STUN,
// RFC 5780 §5.1 for NAT discovery.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "turnpike/base/endpoint.hpp"
#include "turnpike/crypto/random.hpp"

namespace turnpike::stunclient {

enum class Service : std::uint8_t { stun, stun_behavior, turn };

// The parts that the user has named.
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

// Queries SRV and NAPTR records in DNS for a domain without a port. A name with a single label is local and
// has none. Surprising results are added to `notes`. Returns an empty list when the domain declares that it
// has no such service.
std::vector<Target> find_targets(const ServerName& server, crypto::Random& random,
                                 std::vector<std::string>& notes);

}  // namespace turnpike::stunclient
